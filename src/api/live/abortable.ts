/**
 * An iterator whose `return` takes effect at once. An async generator alone would first wait for the event it is waiting for, so
 * an unsubscribed client would keep a follower alive until the next event of an execution that may be parked for days.
 */
export function abortable<T>(
  start: (signal: AbortSignal) => AsyncIterable<T>,
  onEnd: () => void = () => {},
): AsyncIterableIterator<T, undefined> {
  const controller = new AbortController();
  const source = start(controller.signal)[Symbol.asyncIterator]();
  let isOver = false;
  function end(): void {
    if (isOver) return;
    isOver = true;
    controller.abort();
    onEnd();
  }
  return {
    async next() {
      if (isOver) return { done: true, value: undefined };
      try {
        const result = await source.next();
        if (!result.done && !isOver) return { done: false, value: result.value };
      } catch (error) {
        end();
        throw error;
      }
      end();
      return { done: true, value: undefined };
    },
    async return() {
      end();
      // Not awaited: it settles only once the pending `next` does.
      void Promise.resolve(source.return?.()).catch(() => {});
      return { done: true, value: undefined };
    },
    [Symbol.asyncIterator]() {
      return this;
    },
  };
}
