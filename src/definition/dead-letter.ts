import { z } from "zod";
import { ExecutionError, ExecutionStatus, type Execution } from "./execution.ts";
import { JsonRecord } from "./json.ts";

/** Somebody looked at a failed execution and said that nothing is to be done. */
export const Dismissal = z
  .object({ by: z.string().describe("Principal"), at: z.string(), note: z.string().nullable() })
  .meta({ id: "Dismissal" });
export type Dismissal = z.infer<typeof Dismissal>;

/** What a retry changes first: values of declared variables, and what the failed step is configured with or given, this once. */
export const RetryEdit = z
  .strictObject({
    variables: JsonRecord.optional().describe("New values of declared variables, in place of what they hold"),
    stepId: z.string().min(1).max(64).optional().describe("The failed step, where several failed"),
    config: JsonRecord.optional().describe("Fields of the failed step's config, over the evaluated ones, for this visit alone"),
    input: JsonRecord.optional().describe("The failed step's input, for this visit alone"),
  })
  .meta({ id: "RetryEdit" });
export type RetryEdit = z.infer<typeof RetryEdit>;

/** A failed execution on the list of what is to be looked at. */
export const DeadLetter = z
  .object({
    executionId: z.string(),
    workflowId: z.string(),
    workflowVersion: z.number().int(),
    status: ExecutionStatus.describe("FAILED, or PAUSED by `onError: pause`"),
    error: ExecutionError.nullable(),
    failedSteps: z.array(z.string()).describe("Steps that wait to be tried again"),
    isRetryable: z.boolean().describe("false: there is no step to go on at, for it was compensated or ran out of its time"),
    createdAt: z.string(),
    failedAt: z.string(),
    startedBy: z.string(),
    tags: z.array(z.string()),
    dismissal: Dismissal.nullable(),
  })
  .meta({ id: "DeadLetter" });
export type DeadLetter = z.infer<typeof DeadLetter>;

export interface DeadLetterFilter {
  workflowId?: string | undefined;
  errorCode?: string | undefined;
  /** The step that is to blame. */
  stepId?: string | undefined;
  /** RFC 3339 in UTC with milliseconds. */
  failedAfter?: string | undefined;
  failedBefore?: string | undefined;
}

/** One page of the list, newest first. */
export interface DeadLetterQuery extends DeadLetterFilter {
  isDismissed: boolean;
  pageSize: number;
  pageToken?: string | undefined;
}

/** Whether an execution is on the list: to be looked at, looked at, or neither. */
export function deadLetterState({ status, waits, dismissal }: Execution): "open" | "dismissed" | null {
  const isDead = status === "FAILED" || (status === "PAUSED" && waits.some(({ kind }) => kind === "failure"));
  return isDead ? (dismissal ? "dismissed" : "open") : null;
}

/** When it failed; of one that is paused, when it was last written. */
export function failedAt({ endedAt, updatedAt }: Pick<Execution, "endedAt" | "updatedAt">): string {
  return endedAt ?? updatedAt;
}

export function fitsDeadLetter(execution: Execution, filter: DeadLetterFilter): boolean {
  const at = failedAt(execution);
  return (
    (filter.workflowId === undefined || execution.workflowId === filter.workflowId) &&
    (filter.errorCode === undefined || execution.error?.code === filter.errorCode) &&
    (filter.stepId === undefined || execution.error?.stepId === filter.stepId) &&
    (filter.failedAfter === undefined || at > filter.failedAfter) &&
    (filter.failedBefore === undefined || at < filter.failedBefore)
  );
}
