import { SignalboxError, toSignalboxError } from "../errors.ts";
import type { ExecutionHandle, Store } from "../ports/store.ts";
import { anyOf, freeNumbers } from "./places.ts";
import type { Prepared } from "./start.ts";

/**
 * Creates an execution; where its workflow refuses what is over its limit, with its place under that. What exists already is found
 * although every place is taken: the store looks for it first.
 */
export async function createWithin(
  store: Store,
  { execution, events, refusedBy }: Prepared,
): Promise<ExecutionHandle & { created: boolean }> {
  if (!refusedBy) return await store.executions.create(execution, events);
  const { limit, max } = refusedBy;
  for (;;) {
    const { taken } = await store.limits.look(execution.tenant, limit, 0);
    const free = anyOf(freeNumbers(refusedBy, { taken }));
    try {
      return await store.executions.create({ ...execution, permits: [{ limit, number: free ?? taken[0] ?? 0 }] }, events);
    } catch (error) {
      if (toSignalboxError(error).code !== "LIMIT_EXCEEDED") throw error;
      if (free !== undefined) continue; // somebody else took that one
      const message = `${max} executions under the limit "${limit}" are under way, and it allows no more.`;
      throw new SignalboxError("LIMIT_EXCEEDED", message, { details: { limit, max } });
    }
  }
}
