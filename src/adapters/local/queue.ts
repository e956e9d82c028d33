import type { Queue, WorkHint } from "../../ports/queue.ts";

/** Hints inside one process. Handed over on the next turn of the event loop, so that whoever enqueues answers its client first. */
export function createLocalQueue(): Queue {
  const takers = new Set<(hint: WorkHint) => void>();
  return {
    async enqueue(hint) {
      setImmediate(() => {
        for (const take of takers) take(hint);
      });
    },
    async consume(take) {
      takers.add(take);
      return async () => void takers.delete(take);
    },
    async close() {
      takers.clear();
    },
  };
}
