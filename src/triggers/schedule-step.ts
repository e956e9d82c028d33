import type { ScheduleCursor } from "../ports/schedules.ts";
import { dueTicks, MAX_TICKS, ticksAfter, type Schedule } from "./ticks.ts";

/** Until when others leave a cursor alone whose executions are being started; after a crash they take it up then. */
const STARTING_MS = 15_000;
/** How often a tick that waits for the execution before it looks again. */
const QUEUE_POLL_MS = 2_000;
/** A schedule without a further tick is looked at this seldom. */
const IDLE_MS = 24 * 3_600_000;

/** A decision about ticks: the cursor to be written before anything is started, and how many ticks will start nothing. */
export interface ScheduleStep {
  cursor: ScheduleCursor;
  missed: number;
  overlapped: number;
}

/**
 * Decides about the ticks up to `now`. Pure: it is the compare-and-set of its result that makes the decision the only one, and only
 * then anything is started, under ids that make starting again harmless.
 */
export function decideTicks(cursor: ScheduleCursor, schedule: Schedule, now: number, isLastRunning: boolean): ScheduleStep {
  const { fire, missed, upTo } = dueTicks(schedule, cursor.after, now);
  const next = { ...cursor, revision: cursor.revision + 1, after: upTo };
  const isBusy = isLastRunning || cursor.starting.length > 0;
  let starting = cursor.starting;
  let waiting = cursor.waiting;
  let overlapped = 0;
  switch (schedule.overlap) {
    case "allow":
      starting = [...starting, ...waiting, ...fire];
      waiting = [];
      break;
    case "skip":
      // Of several ticks at once the first runs, and the others meet it running.
      if (!isBusy) starting = fire.slice(0, 1);
      overlapped = fire.length - (isBusy ? 0 : starting.length);
      waiting = [];
      break;
    case "queue":
      waiting = [...waiting, ...fire];
      overlapped = Math.max(0, waiting.length - MAX_TICKS);
      waiting = waiting.slice(0, MAX_TICKS);
      if (!isBusy) {
        starting = waiting.slice(0, 1);
        waiting = waiting.slice(1);
      }
      break;
    default:
      schedule.overlap satisfies never;
  }
  const dueAt = starting.length > 0 ? now + STARTING_MS : nextLook(schedule, waiting, next.after, now);
  return { cursor: { ...next, starting, waiting, dueAt }, missed, overlapped };
}

/** The cursor once everything in `starting` is started. */
export function afterStarting(cursor: ScheduleCursor, schedule: Schedule, now: number, last: string | null): ScheduleCursor {
  const dueAt = nextLook(schedule, cursor.waiting, cursor.after, now);
  return { ...cursor, revision: cursor.revision + 1, starting: [], last: last ?? cursor.last, dueAt };
}

function nextLook(schedule: Schedule, waiting: readonly number[], after: number, now: number): number {
  const [tick = now + IDLE_MS] = ticksAfter(schedule, after, 1);
  const next = Math.min(tick, now + IDLE_MS);
  return waiting.length > 0 ? Math.min(next, now + QUEUE_POLL_MS) : next;
}
