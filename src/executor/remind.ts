import type { Wait } from "../definition/wait.ts";
import type { Absorbed } from "./absorb.ts";
import { dueTime } from "./waiting.ts";

/**
 * Puts a reminder on record when its time has come, and says when the next one is due: both in one commit, so that a crash can neither
 * lose a reminder nor repeat it. Those that were missed meanwhile are one.
 */
export function remind(wait: Wait, result: Absorbed, now: number): void {
  const { remind: reminder } = wait;
  if (!reminder || reminder.at === null || reminder.at > now || wait.answer !== null) return;
  const count = reminder.count + 1;
  const { everyMs } = reminder;
  const next = everyMs === null ? null : reminder.at + everyMs * Math.ceil((now + 1 - reminder.at) / everyMs);
  wait.remind = { ...reminder, at: next, count };
  const at = new Date(now).toISOString();
  result.reminded.push({ id: wait.id, reminders: { count, at } });
  result.events.push({
    at,
    type: "wait.reminded",
    stepId: wait.stepId,
    visit: wait.visit,
    branch: wait.branch,
    attempt: wait.attempt,
    summary: `${wait.stepId} still waits for an answer: reminder ${count}.`,
    data: { waitId: wait.id, kind: wait.kind, reminder: count, expiresAt: dueTime(wait) },
  });
}
