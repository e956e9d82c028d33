import { Cron } from "croner";

/** When a schedule fires, and what becomes of ticks that could not be kept. */
export interface Schedule {
  cron: string;
  timezone: string;
  misfire: "skip" | "once" | "all";
  overlap: "allow" | "skip" | "queue";
}

/** A tick this late was missed: its policy says what becomes of it. Enough for a restart, and for a sweep under load. */
const ON_TIME_MS = 60_000;
/** Ticks made up for at most, the newest. */
export const MAX_TICKS = 100;

/** The next ticks after an instant, epoch milliseconds; fewer where there are no more. */
export function ticksAfter({ cron, timezone }: Schedule, after: number, count: number): number[] {
  return parsed(cron, timezone)
    .nextRuns(count, new Date(after))
    .map((date) => date.getTime());
}

/** The ticks in (after, now] that are to be fired by the misfire policy, oldest first, and the newest tick that is decided by that. */
export function dueTicks(schedule: Schedule, after: number, now: number): { fire: number[]; missed: number; upTo: number } {
  const past = parsed(schedule.cron, schedule.timezone)
    // Backwards, because a schedule may have slept for a year; the library leaves the reference itself out.
    .previousRuns(MAX_TICKS + 1, new Date(now + 1_000))
    .map((date) => date.getTime())
    .filter((tick) => tick > after && tick <= now)
    .toReversed();
  const newest = past.at(-1);
  if (newest === undefined) return { fire: [], missed: 0, upTo: after };
  const fire = kept(schedule.misfire, past, now);
  return { fire, missed: past.length - fire.length, upTo: newest };
}

function kept(misfire: Schedule["misfire"], past: number[], now: number): number[] {
  const isLate = (tick: number): boolean => now - tick > ON_TIME_MS;
  switch (misfire) {
    case "all":
      return past.slice(-MAX_TICKS);
    case "skip":
      return past.filter((tick) => !isLate(tick));
    case "once":
      return past.some(isLate) ? past.slice(-1) : past;
    default:
      return misfire satisfies never;
  }
}

/** What keeps a schedule from being one; undefined where nothing does. */
export function scheduleProblem({
  cron,
  timezone,
}: {
  cron: string;
  timezone: string;
}): { field: "cron" | "timezone"; message: string } | undefined {
  try {
    Intl.DateTimeFormat("en", { timeZone: timezone });
  } catch {
    return { field: "timezone", message: `There is no time zone "${timezone}".` };
  }
  // The library takes instants ("2026-01-01T00:00:00") and years as well: those end, and a schedule does not.
  const fields = cron.trim().split(/\s+/).length;
  if (!cron.startsWith("@") && fields !== 5 && fields !== 6) {
    return { field: "cron", message: `A cron expression has five fields, or six with seconds first; this one has ${fields}.` };
  }
  try {
    const next = parsed(cron, timezone).nextRun();
    return next ? undefined : { field: "cron", message: "This schedule never fires." };
  } catch (error) {
    const message = error instanceof Error ? error.message.replace(/^CronPattern: /, "") : String(error);
    return { field: "cron", message: `This is no cron expression: ${message.replace(/\.?$/, ".")}` };
  }
}

/** What a schedule's place in time is kept for: another text of these is another schedule, which begins anew. */
export function signatureOf({ cron, timezone }: Schedule): string {
  return `${cron.trim()} ${timezone}`;
}

function parsed(cron: string, timezone: string): Cron {
  return new Cron(cron, { timezone, paused: true });
}
