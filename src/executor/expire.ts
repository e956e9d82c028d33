import type { Execution } from "../definition/execution.ts";
import type { Store } from "../ports/store.ts";

/**
 * Ends the listed waits which the clock is about to end in `execution`, first come first served against people who answer at this
 * moment. False where somebody was quicker: the answer is in the inbox, and the clock must not win over it.
 */
export async function expireListedWaits(store: Store, execution: Execution, now: number): Promise<boolean> {
  const at = new Date(now).toISOString();
  let won = true;
  for (const wait of execution.waits) {
    if (!wait.isListed || wait.answer?.by !== "due" || wait.answer.at !== at) continue;
    const result = await store.waits.answer(execution.tenant, wait.id, "expired", { by: "due", principal: null, at, data: {} }, null);
    // Expired by a worker that died right after: still the clock's.
    if (result && !result.accepted && result.wait.status !== "expired") won = false;
  }
  return won;
}
