import type { ExecutionEvent } from "../definition/event.ts";
import { TERMINAL_STATUSES } from "../definition/execution.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { patientRead } from "./patient-read.ts";

const BATCH = 200;
/** Events of one batch are gathered this long once the reader has caught up, milliseconds. */
const GATHER_MS = 50;
/**
 * A watcher looks by itself: listeners can fall silent. Later each time it found nothing, up to the half minute in which adapters replace
 * a silent listener: every 2 s, a thousand watchers of executions that wait for people would make 43 million reads a day. Milliseconds.
 */
const FIRST_LOOK_MS = 2_000;
const LAST_LOOK_MS = 30_000;
/** While the store is away watchers stay, and come back slowly: a herd of new ones would keep it away. Milliseconds. */
const LONGEST_PAUSE_MS = 8_000;

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
  const patience = { signal, clock, longestPauseMs: LONGEST_PAUSE_MS };
  let seen = afterSeq;
  let lookMs = FIRST_LOOK_MS;
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
      if (batch.length === 0) batch = await patientRead(() => store.events.after(tenant, id, seen, BATCH), patience);
      const last = batch.at(-1);
      if (!last && !hasRead && (await patientRead(() => hasEnded(store, tenant, id, seen), patience))) return;
      hasRead = true;
      if (last) {
        seen = last.seq;
        yield batch;
        if (ENDS.has(last.type) && (await patientRead(() => isOver(store, tenant, id, seen), patience))) return;
        lookMs = FIRST_LOOK_MS;
        if (batch.length === BATCH) continue;
      }
      await new Promise<void>((resolve) => {
        const cancel = clock.after(lookMs, resolve);
        lookMs = Math.min(lookMs * 2, LAST_LOOK_MS);
        wake = () => {
          cancel();
          resolve();
        };
        if (offered.length > 0 || signal.aborted) wake();
      });
      if (offered.length > 0 && !offered.some(({ type }) => ENDS.has(type)))
        await new Promise<void>((resolve) => clock.after(GATHER_MS, resolve));
    }
  } catch (error) {
    if (!signal.aborted) throw error;
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
