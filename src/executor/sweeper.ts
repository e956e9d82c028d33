import type { Clock } from "../ports/clock.ts";
import type { DueExecution, Store } from "../ports/store.ts";
import { rankOf, rankOfBegun } from "./rank.ts";
import type { Worker } from "./worker.ts";

/** Mail older than this whose hint nobody followed is looked at by the sweeper, milliseconds. */
const STALE_MAIL_MS = 2_000;
/** Rows per query; the sweep goes on at once while a query is full. */
const BATCH = 256;
/** A change made by another process is looked at this soon, milliseconds; several at once count as one. */
const NUDGE_MS = 10;

export interface Sweeper {
  /** Looks once: due timers, ended leases, executions of dead owners, forgotten mail. */
  sweep(): Promise<void>;
  stop(): void;
}

interface SweeperOptions {
  store: Store;
  worker: Worker;
  clock: Clock;
  everyMs: number;
  log(message: string, fields: Record<string, unknown>): void;
}

/**
 * Finds what no hint led to. It only hints: every claim is a compare-and-set, so two sweepers do no harm. Runs at once, so that a
 * restart finds its executions without waiting for a lease to end.
 */
export function startSweeper({ store, worker, clock, everyMs, log }: SweeperOptions): Sweeper {
  let isStopped = false;
  let cancelNext = () => {};
  let cancelNudge: (() => void) | undefined;
  let running: Promise<void> | undefined;

  async function look(): Promise<void> {
    for (const owner of await store.executions.deadOwners(clock.now())) {
      for (const { tenant, id } of await store.executions.ownedBy(owner, BATCH)) worker.takeOver({ tenant, executionId: id }, owner);
    }
    // What is due before the next look is timed in process, so that a timer is never a sweep late.
    const earliest = await store.executions.due(clock.now() + everyMs, BATCH);
    // Behind a flood of new ones, those that were begun would not be seen: timers, and what a dead process left behind.
    const begun = earliest.length < BATCH ? [] : await store.executions.due(clock.now() + everyMs, BATCH, "RUNNING");
    // Read after the answers: the first tells the clock what time it is where this machine's is wrong.
    const now = clock.now();
    // In another order in every process: in the same one, two pods race for every row.
    for (const due of shuffled([...begun, ...earliest])) hand(due, now);
    if (earliest.length === BATCH) worker.whenShort(nudge);
    for (const { tenant, id } of await store.inbox.waiting(now - STALE_MAIL_MS, BATCH)) worker.take({ tenant, executionId: id });
  }

  function hand({ tenant, id, wakeAt, ...execution }: DueExecution, now: number): void {
    const hint = { tenant, executionId: id, rank: execution.status === "PENDING" ? rankOf(execution) : rankOfBegun(wakeAt) };
    if (wakeAt <= now) worker.takeDue(hint);
    else worker.wakeups.at(wakeAt, hint);
  }

  function sweep(): Promise<void> {
    running ??= look()
      .catch((error: unknown) => log("sweep failed", { error: error instanceof Error ? error.message : String(error) }))
      .finally(() => (running = undefined));
    return running;
  }

  function again(): void {
    // Jitter, because the pods of a deployment start together.
    cancelNext = clock.after(everyMs * (0.9 + Math.random() * 0.2), () => {
      void sweep().then(() => !isStopped && again());
    });
  }

  function nudge(): void {
    cancelNudge ??= clock.after(NUDGE_MS, () => {
      cancelNudge = undefined;
      // A look under way may have read what is due before that changed.
      void (running ?? Promise.resolve()).then(() => (isStopped ? undefined : sweep()));
    });
  }

  const stopWatching = store.inbox.watchAll(nudge);
  void sweep();
  again();
  return {
    sweep,
    stop() {
      isStopped = true;
      cancelNext();
      cancelNudge?.();
      stopWatching();
    },
  };
}

function shuffled<T>(rows: T[]): T[] {
  return rows
    .map((row) => ({ row, order: Math.random() }))
    .toSorted((left, right) => left.order - right.order)
    .map(({ row }) => row);
}
