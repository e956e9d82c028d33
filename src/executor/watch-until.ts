import type { Execution } from "../definition/execution.ts";
import { notFound } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";

/** Pushed changes can be lost: it looks by itself, later each time, milliseconds. */
const FIRST_LOOK_MS = 500;
const LAST_LOOK_MS = 8_000;

interface WatchOptions {
  timeoutMs: number;
  until(execution: Execution): boolean;
  signal?: AbortSignal | undefined;
}

/** The execution as soon as `until` is true of it, or as it is after `timeoutMs`. Pushed, with a look of its own now and then. */
export async function watchUntil(
  { store, clock }: { store: Store; clock: Clock },
  tenant: string,
  id: string,
  { timeoutMs, until, signal }: WatchOptions,
): Promise<Execution> {
  const deadline = clock.now() + timeoutMs;
  let wake = () => {};
  let isChanged = false;
  let lookMs = FIRST_LOOK_MS;
  const stopWatching = store.events.watch(tenant, id, () => {
    isChanged = true;
    wake();
  });
  try {
    for (;;) {
      isChanged = false;
      const handle = await store.executions.get(tenant, id);
      if (!handle) throw notFound("execution", id);
      const leftMs = deadline - clock.now();
      if (until(handle.execution) || leftMs <= 0 || signal?.aborted) return handle.execution;
      if (isChanged) continue;
      await new Promise<void>((resolve) => {
        const cancel = clock.after(Math.min(leftMs, lookMs), resolve);
        lookMs = Math.min(lookMs * 2, LAST_LOOK_MS);
        wake = () => {
          cancel();
          resolve();
        };
      });
    }
  } finally {
    stopWatching();
  }
}
