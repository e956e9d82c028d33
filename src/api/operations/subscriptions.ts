import { z } from "zod";
import { ExecutionEvent, ModelToken } from "../../definition/event.ts";
import { ExecutionStatus } from "../../definition/execution.ts";
import { followToEnd } from "../live/follow.ts";
import { statusesOf } from "../live/statuses.ts";
import { tokensOf } from "../live/tokens.ts";
import { defineSubscription, PathId } from "./operation.ts";

export const workflowStatus = defineSubscription({
  name: "workflowStatus",
  summary: "The execution's status now and whenever it changes; ends with the execution",
  scope: "executions:read",
  input: z.strictObject({ executionId: PathId }),
  output: ExecutionStatus,
  subscribe: ({ services, principal }, { executionId }, signal) => statusesOf(services.executor, principal.tenant, executionId, signal),
});

export const executionEvents = defineSubscription({
  name: "executionEvents",
  summary: "Events after `afterSeq` in batches, without gap or repeat; ends with the execution",
  scope: "executions:read",
  input: z.strictObject({
    executionId: PathId,
    afterSeq: z.number().int().min(0).optional().describe("The last seq the client has; 0 unless told"),
  }),
  output: z.array(ExecutionEvent as z.ZodType<ExecutionEvent>),
  subscribe: ({ services, principal }, { executionId, afterSeq }, signal) =>
    followToEnd(services.executor, principal.tenant, executionId, { afterSeq: afterSeq ?? 0, signal }),
});

export const modelTokens = defineSubscription({
  name: "modelTokens",
  summary: "Pieces of the model's answers while they are made; transient, nothing is replayed; ends with the execution",
  scope: "executions:read",
  input: z.strictObject({ executionId: PathId }),
  output: ModelToken,
  subscribe: ({ services, principal }, { executionId }, signal) => tokensOf(services.executor, principal.tenant, executionId, signal),
});
