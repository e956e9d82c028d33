/** Callbacks by key. One that throws is reported as a warning and harms nobody else. */
export interface Watchers<A extends unknown[]> {
  /** Adds a callback; the returned function takes it back, once or more often. */
  add(key: string, onChange: (...call: A) => void): () => void;
  tell(key: string, ...call: A): void;
  keys(): Iterable<string>;
  readonly size: number;
}

/** `onCount` hears how many callbacks there are, whenever that changes. */
export function createWatchers<A extends unknown[]>(onCount: () => void): Watchers<A> {
  const byKey = new Map<string, Set<(...call: A) => void>>();
  let size = 0;
  return {
    add(key, onChange) {
      // A callback of its own, so that one function may watch twice.
      const callback = (...call: A): void => onChange(...call);
      const callbacks = byKey.get(key) ?? new Set();
      byKey.set(key, callbacks.add(callback));
      size += 1;
      onCount();
      return () => {
        if (!callbacks.delete(callback)) return;
        if (callbacks.size === 0) byKey.delete(key);
        size -= 1;
        onCount();
      };
    },
    tell(key, ...call) {
      for (const callback of byKey.get(key) ?? []) {
        try {
          callback(...call);
        } catch (error) {
          process.emitWarning(error instanceof Error ? error : new Error(String(error)));
        }
      }
    },
    keys: () => byKey.keys(),
    get size() {
      return size;
    },
  };
}
