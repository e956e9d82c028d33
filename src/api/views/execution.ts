import { z } from "zod";
import { ExecutionError, ExecutionStatus, QueuedView, WaitView, type Execution } from "../../definition/execution.ts";
import { JsonRecord, JsonValue } from "../../definition/json.ts";

/** An execution as clients see it. */
export const ExecutionView = z
  .object({
    id: z.string(),
    workflowId: z.string(),
    workflowVersion: z.number().int(),
    status: ExecutionStatus,
    currentStep: z.string().nullable().describe("The first of `currentSteps`"),
    currentSteps: z.array(z.string()).describe("Steps under way or waiting"),
    waits: z.array(WaitView).describe("What it waits for"),
    queued: QueuedView.nullable().describe("The limit it waits in line for before it may begin"),
    input: JsonRecord,
    variables: JsonRecord.describe("As of the last parking, pause or end; secret ones are left out"),
    output: JsonValue,
    error: ExecutionError.nullable(),
    trigger: z
      .object({ type: z.string(), id: z.string().nullable(), summary: z.string(), event: JsonValue })
      .meta({ id: "ExecutionTrigger" }),
    parent: z
      .object({ executionId: z.string(), stepId: z.string(), depth: z.number().int() })
      .meta({ id: "ExecutionParent" })
      .nullable()
      .describe("The execution whose step started it"),
    startedBy: z.string(),
    priority: z.number().int(),
    tags: z.array(z.string()),
    createdAt: z.string(),
    startedAt: z.string().nullable(),
    endedAt: z.string().nullable(),
    completedAt: z.string().nullable().describe("Another name of `endedAt`"),
    durationMs: z.number().nullable().describe("From createdAt to endedAt"),
    progress: z.object({ completed: z.number().int(), total: z.number().int() }).meta({ id: "ExecutionProgress" }),
    usage: z
      .object({ modelCalls: z.number(), tokensIn: z.number(), tokensOut: z.number(), costUsd: z.number() })
      .meta({ id: "ExecutionUsage" }),
    lastSeq: z.number().int().describe("seq of its newest event"),
  })
  .meta({ id: "WorkflowExecution" });
export type ExecutionView = z.infer<typeof ExecutionView>;

export function executionView(execution: Execution): ExecutionView {
  const currentSteps = stepsUnderWay(execution);
  return {
    id: execution.id,
    workflowId: execution.workflowId,
    workflowVersion: execution.workflowVersion,
    status: execution.status,
    currentStep: currentSteps[0] ?? null,
    currentSteps,
    waits: execution.waits.map(({ id, kind, stepId, visit, since, dueAt }) => ({
      id,
      kind,
      stepId,
      visit,
      since,
      expiresAt: dueAt === null ? null : new Date(dueAt).toISOString(),
    })),
    queued: execution.queued ?? null,
    input: execution.input,
    variables: execution.variables,
    output: execution.output,
    error: execution.error,
    trigger: execution.trigger,
    parent: execution.parent && {
      executionId: execution.parent.executionId,
      stepId: execution.parent.stepId,
      depth: execution.parent.depth,
    },
    startedBy: execution.startedBy,
    priority: execution.priority,
    tags: execution.tags,
    createdAt: execution.createdAt,
    startedAt: execution.startedAt,
    endedAt: execution.endedAt,
    completedAt: execution.endedAt,
    durationMs: execution.endedAt === null ? null : Date.parse(execution.endedAt) - Date.parse(execution.createdAt),
    progress: { completed: execution.stepsTaken, total: execution.stepsTotal },
    usage: execution.usage,
    lastSeq: execution.lastSeq,
  };
}

function stepsUnderWay({ inFlight, waits }: Execution): string[] {
  return [...new Set([...Object.values(inFlight), ...waits].map(({ stepId }) => stepId))];
}
