import { TERMINAL_STATUSES } from "../definition/execution.ts";
import { toSignalboxError } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import type { Clock } from "../ports/clock.ts";
import type { ScheduleCursor } from "../ports/schedules.ts";
import type { Store } from "../ports/store.ts";
import type { IncomingEvent } from "../definition/received-event.ts";
import { fireTrigger } from "./fire.ts";
import { scheduleTriggers, type ScheduleTrigger } from "./schedule-cursors.ts";
import { afterStarting, decideTicks } from "./schedule-step.ts";
import type { TriggerTypes } from "./trigger-types.ts";

/** Cursors per look; the next look follows at once while there are more. */
const BATCH = 100;
/** A cursor whose workflow is not there is kept this long: the workflow may be about to be written. */
const ORPHAN_MS = 60_000;
/** A cursor that nothing can be done about now is left alone this long, so that it does not stand before others. */
const RETRY_MS = 5_000;

/** Type of the event a tick is. */
const TICK = "signalbox.schedule.tick";

export interface Scheduler {
  /** Looks once at every schedule that is due, by the store's clock. */
  look(): Promise<void>;
  /** Ends the looking; resolves when a look under way is over. */
  stop(): Promise<void>;
}

export interface SchedulerOptions {
  store: Store;
  executor: Executor;
  types: TriggerTypes;
  clock: Clock;
  /** How often it looks, milliseconds; ticks before the next look are timed in process. */
  everyMs: number;
  log(message: string, fields: Record<string, unknown>): void;
}

/** Fires schedules. Any number of processes may look at one store: a tick is decided by one compare-and-set. Looks at once. */
export function startScheduler({ store, executor, types, clock, everyMs, log }: SchedulerOptions): Scheduler {
  const { schedules } = store;
  /** The store's time less ours, as of the last look: time until the next one is measured with our clock. */
  let ahead = 0;
  let isStopped = false;
  let cancelNext = () => {};
  let running: Promise<void> | undefined;

  async function lookOnce(): Promise<number> {
    const asked = clock.now();
    const { now, cursors } = await schedules.due(asked + ahead + everyMs, BATCH);
    // Too much by the time of the answer at most, which does no harm: whether a tick is due is told by the store.
    ahead = now - asked;
    let soonest = now + everyMs;
    for (const cursor of cursors) {
      if (cursor.dueAt > now) soonest = Math.min(soonest, cursor.dueAt);
      else await guarded(cursor, now);
    }
    return cursors.length === BATCH && cursors.every(({ dueAt }) => dueAt <= now) ? 0 : soonest - now;
  }

  async function guarded(cursor: ScheduleCursor, now: number): Promise<void> {
    const fields = { workflowId: cursor.workflowId, triggerId: cursor.triggerId };
    try {
      await move(cursor, now);
    } catch (error) {
      log("schedule failed", {
        ...fields,
        code: toSignalboxError(error).code,
        error: error instanceof Error ? error.message : String(error),
      });
      await postpone(cursor, now);
    }
  }

  async function move(cursor: ScheduleCursor, now: number): Promise<void> {
    const { tenant, workflowId, triggerId } = cursor;
    const workflow = await store.workflows.get(tenant, workflowId);
    if (!workflow && now - cursor.after < ORPHAN_MS) {
      await postpone(cursor, now);
      return;
    }
    const found = workflow && scheduleTriggers(workflow, types).find(({ trigger }) => trigger.id === triggerId);
    if (!found?.isOn) {
      await schedules.remove(tenant, workflowId, triggerId, cursor.revision);
      return;
    }
    const isLastRunning = found.schedule.overlap !== "allow" && (await isRunning(tenant, cursor.last));
    const { cursor: decided, missed, overlapped } = decideTicks(cursor, found.schedule, now, isLastRunning);
    if (!(await schedules.put(decided, cursor.revision))) return;
    if (missed + overlapped > 0) log("ticks start nothing", { workflowId, triggerId, missed, overlapped });
    if (decided.starting.length > 0) await startTicks(decided, found, now);
  }

  async function postpone(cursor: ScheduleCursor, now: number): Promise<void> {
    await schedules.put({ ...cursor, revision: cursor.revision + 1, dueAt: now + RETRY_MS }, cursor.revision);
  }

  async function startTicks(cursor: ScheduleCursor, { trigger, schedule }: ScheduleTrigger, now: number): Promise<void> {
    let last: string | null = null;
    for (const tick of cursor.starting) {
      const outcome = await fireTrigger(executor, trigger, tickEvent(cursor, tick));
      last = outcome.executionId ?? last;
      if (outcome.status === "REFUSED")
        log("tick refused", { workflowId: cursor.workflowId, triggerId: cursor.triggerId, code: outcome.code });
    }
    await schedules.put(afterStarting(cursor, schedule, now, last), cursor.revision);
  }

  async function isRunning(tenant: string, executionId: string | null): Promise<boolean> {
    const handle = executionId === null ? undefined : await store.executions.get(tenant, executionId);
    return handle !== undefined && !TERMINAL_STATUSES.has(handle.execution.status);
  }

  function look(): Promise<void> {
    running ??= lookOnce()
      .catch((error: unknown) => {
        log("schedules cannot be looked at", { code: toSignalboxError(error).code });
        return everyMs;
      })
      .then((waitMs) => {
        cancelNext();
        if (isStopped) return;
        // Jitter on the regular look only: ticks are to be met.
        cancelNext = clock.after(waitMs < everyMs ? waitMs : everyMs * (0.9 + Math.random() * 0.1), () => void look());
      })
      .finally(() => (running = undefined));
    return running;
  }

  void look();
  return {
    look,
    async stop() {
      isStopped = true;
      cancelNext();
      await running;
    },
  };
}

/** The tick as the event it is: its id is its time, so that every process means the same one. */
function tickEvent({ workflowId, triggerId }: ScheduleCursor, tick: number): IncomingEvent {
  const time = new Date(tick).toISOString();
  return { id: time, source: `/workflows/${workflowId}/triggers/${triggerId}`, type: TICK, time, data: null };
}
