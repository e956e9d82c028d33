import type { Execution } from "../definition/execution.ts";
import type { JsonObject } from "../definition/json.ts";
import type { Wait } from "../definition/wait.ts";
import type { Store } from "../ports/store.ts";

/** Listed waits that the clock ended, with what the step is told: the votes there were. */
export type ExpiredWaits = ReadonlyMap<string, JsonObject>;

export function isDue({ answer, dueAt }: Wait, now: number): boolean {
  return answer === null && dueAt !== null && dueAt <= now;
}

/** Nobody answers a wait for an event but the mail, which is read before the clock is asked. */
export function isByMail({ kind, isListed }: Wait): boolean {
  return kind === "event" && isListed;
}

/**
 * Ends the listed waits whose time is over, first come first served against people who answer at this moment. Where somebody was
 * quicker, the answer is in the inbox: read it after this.
 */
export async function expireListedWaits(store: Store, { tenant, status, waits }: Execution, now: number): Promise<ExpiredWaits> {
  const expired = new Map<string, JsonObject>();
  if (status !== "RUNNING" && status !== "PENDING") return expired;
  const at = new Date(now).toISOString();
  for (const wait of waits) {
    if (!wait.isListed || isByMail(wait) || !isDue(wait, now)) continue;
    const result = await store.waits.answer(tenant, wait.id, "expired", { by: "due", principal: null, at, data: {} }, null);
    // Expired by a worker that died right after: still the clock's. A list that lost its row cannot hold the execution for ever.
    if (result && result.wait.status !== "expired") continue;
    const votes = result?.wait.votes;
    expired.set(wait.id, votes ? { votes } : {});
  }
  return expired;
}
