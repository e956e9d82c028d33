import type { ModelToken } from "../definition/event.ts";

/** Pieces of model answers on their way to whoever watches now; nothing is kept. */
export interface TokenHub {
  publish(token: ModelToken): void;
  /** Tokens of an execution from now on, until `signal` aborts. A reader that is slower than 1,000 tokens loses the oldest. */
  follow(executionId: string, signal: AbortSignal): AsyncGenerator<ModelToken>;
}

const MAX_BUFFERED = 1_000;

export function createTokenHub(): TokenHub {
  const readers = new Map<string, Set<(token: ModelToken) => void>>();
  return {
    publish(token) {
      for (const read of readers.get(token.executionId) ?? []) read(token);
    },
    async *follow(executionId, signal) {
      const buffer: ModelToken[] = [];
      let wake = () => {};
      const read = (token: ModelToken) => {
        if (buffer.length >= MAX_BUFFERED) buffer.shift();
        buffer.push(token);
        wake();
      };
      const onAbort = () => wake();
      signal.addEventListener("abort", onAbort, { once: true });
      const set = readers.get(executionId) ?? new Set();
      readers.set(executionId, set.add(read));
      try {
        while (!signal.aborted) {
          const token = buffer.shift();
          if (token) yield token;
          else await new Promise<void>((resolve) => (wake = resolve));
        }
      } finally {
        signal.removeEventListener("abort", onAbort);
        set.delete(read);
        if (set.size === 0) readers.delete(executionId);
      }
    },
  };
}
