import type { ExecutionEventType } from "../../definition/event.ts";
import { TERMINAL_STATUSES, type ExecutionStatus } from "../../definition/execution.ts";
import type { Executor } from "../../executor/executor.ts";

/** Events after which an execution has another status. */
const STATUS_AFTER: Partial<Record<ExecutionEventType, ExecutionStatus>> = {
  "execution.created": "PENDING",
  "execution.started": "RUNNING",
  "execution.paused": "PAUSED",
  "execution.resumed": "RUNNING",
  "execution.completed": "COMPLETED",
  "execution.failed": "FAILED",
  "execution.cancelled": "CANCELLED",
};

/** The status now, then every change of it, none twice in a row; ends with a terminal one. NOT_FOUND before the first. */
export async function* statusesOf(
  executor: Executor,
  tenant: string,
  executionId: string,
  signal: AbortSignal,
): AsyncGenerator<ExecutionStatus> {
  const execution = await executor.get(tenant, executionId);
  let status = execution.status;
  yield status;
  if (TERMINAL_STATUSES.has(status)) return;
  for await (const batch of executor.follow(tenant, executionId, { afterSeq: execution.lastSeq, signal })) {
    for (const event of batch) {
      const next = STATUS_AFTER[event.type] ?? status;
      if (next === status) continue;
      status = next;
      yield status;
      if (TERMINAL_STATUSES.has(status)) return;
    }
  }
}
