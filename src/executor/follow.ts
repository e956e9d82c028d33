import type { ExecutionEvent } from "../definition/event.ts";
import { TERMINAL_STATUSES } from "../definition/execution.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";

const BATCH = 200;
/** Events of one batch are gathered this long once the reader has caught up, milliseconds. */
const GATHER_MS = 50;
/** A watcher looks by itself this often: listeners can fall silent, milliseconds. */
const BACKSTOP_MS = 2_000;

const ENDS: ReadonlySet<string> = new Set(["execution.completed", "execution.failed", "execution.cancelled"]);

/**
 * Every event after `afterSeq`, in order, no gap, no repeat: the watcher only says that there is something, `seq` says what comes
 * next, and what is missing is read. Ends after the event that ended the execution.
 */
export async function* followEvents(
  { store, clock }: { store: Store; clock: Clock },
  tenant: string,
  id: string,
  { afterSeq, signal }: { afterSeq: number; signal: AbortSignal },
): AsyncGenerator<ExecutionEvent[]> {
  let seen = afterSeq;
  let offered: ExecutionEvent[] = [];
  let hasRead = false;
  let wake = () => {};
  const onAbort = () => wake();
  signal.addEventListener("abort", onAbort, { once: true });
  const stopWatching = store.events.watch(tenant, id, (events) => {
    offered.push(...events);
    wake();
  });
  try {
    while (!signal.aborted) {
      let batch = next(offered, seen);
      offered = [];
      if (batch.length === 0) batch = await store.events.after(tenant, id, seen, BATCH);
      const last = batch.at(-1);
      if (!last && !hasRead && (await hasEnded(store, tenant, id, seen))) return;
      hasRead = true;
      if (last) {
        seen = last.seq;
        yield batch;
        if (ENDS.has(last.type) && (await isOver(store, tenant, id, seen))) return;
        if (batch.length === BATCH) continue;
      }
      await new Promise<void>((resolve) => {
        const cancel = clock.after(BACKSTOP_MS, resolve);
        wake = () => {
          cancel();
          resolve();
        };
        if (offered.length > 0 || signal.aborted) wake();
      });
      if (offered.length > 0 && !offered.some(({ type }) => ENDS.has(type)))
        await new Promise<void>((resolve) => clock.after(GATHER_MS, resolve));
    }
  } finally {
    stopWatching();
    signal.removeEventListener("abort", onAbort);
  }
}

/** What was offered, as far as it goes on exactly where the reader is. */
function next(offered: ExecutionEvent[], seen: number): ExecutionEvent[] {
  const batch: ExecutionEvent[] = [];
  for (const event of offered) if (event.seq === seen + batch.length + 1) batch.push(event);
  return batch.slice(0, BATCH);
}

/** A reader that has seen the end already has nothing to wait for. */
async function hasEnded(store: Store, tenant: string, id: string, seq: number): Promise<boolean> {
  const handle = await store.executions.get(tenant, id);
  return !handle || (TERMINAL_STATUSES.has(handle.execution.status) && handle.execution.lastSeq <= seq);
}

/** A failed execution that was tried again has events after its end. */
async function isOver(store: Store, tenant: string, id: string, seq: number): Promise<boolean> {
  const handle = await store.executions.get(tenant, id);
  return !handle || handle.execution.lastSeq <= seq;
}
