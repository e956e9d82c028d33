import { failedAt, type DeadLetter } from "../../definition/dead-letter.ts";
import type { Execution } from "../../definition/execution.ts";

export function deadLetterView(execution: Execution): DeadLetter {
  const failedSteps = execution.waits.filter(({ kind }) => kind === "failure").map(({ stepId }) => stepId);
  return {
    executionId: execution.id,
    workflowId: execution.workflowId,
    workflowVersion: execution.workflowVersion,
    status: execution.status,
    error: execution.error,
    failedSteps,
    isRetryable: failedSteps.length > 0,
    createdAt: execution.createdAt,
    failedAt: failedAt(execution),
    startedBy: execution.startedBy,
    tags: execution.tags,
    dismissal: execution.dismissal ?? null,
  };
}
