import type { ExecutionEvent } from "../../definition/event.ts";
import { TERMINAL_STATUSES } from "../../definition/execution.ts";
import type { Executor } from "../../executor/executor.ts";

/**
 * What every live surface reads: the execution's events after `afterSeq`, in batches, to its end. A client that comes back with
 * the last seq of an execution that is over gets the end at once. NOT_FOUND before the first batch.
 */
export async function* followToEnd(
  executor: Executor,
  tenant: string,
  executionId: string,
  options: { afterSeq: number; signal: AbortSignal },
): AsyncGenerator<ExecutionEvent[], undefined> {
  const { status, lastSeq } = await executor.get(tenant, executionId);
  if (TERMINAL_STATUSES.has(status) && options.afterSeq >= lastSeq) return;
  yield* executor.follow(tenant, executionId, options);
}
