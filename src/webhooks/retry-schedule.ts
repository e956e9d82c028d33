const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Pauses before each try, milliseconds: together a day and a bit over. */
export const PAUSES_MS: readonly number[] = [0, 5 * SECOND, MINUTE, 5 * MINUTE, 30 * MINUTE, 2 * HOUR, 5 * HOUR, 10 * HOUR, 10 * HOUR];

/** When to try again after `tries` in vain, epoch milliseconds; null: never. Jitter, because receivers come back to many at once. */
export function nextTryAt(tries: number, { now, maxTries }: { now: number; maxTries: number }): number | null {
  const pause = PAUSES_MS[tries];
  if (pause === undefined || tries >= maxTries) return null;
  return Math.round(now + pause * (0.9 + Math.random() * 0.2));
}
