import { z } from "zod";
import { JsonValue } from "../../definition/json.ts";
import { executionView, ExecutionView } from "../views/execution.ts";
import { defineOperation, PathId } from "./operation.ts";

const Reason = z.string().max(1_000).optional().describe("Kept in the history");

const verb = {
  noun: "executions",
  kind: "mutation",
  scope: "executions:write",
  status: 200,
  output: ExecutionView,
  errors: ["NOT_FOUND", "CONFLICT"],
} as const;

export const cancelExecution = defineOperation({
  ...verb,
  name: "cancelExecution",
  summary: "Cancel an execution; cancelling a cancelled one is no error",
  route: "POST /api/v1/executions/:id/cancel",
  input: z.strictObject({ id: PathId, reason: Reason }),
  handle: async ({ services, principal }, { id, reason }) => executionView(await services.executor.cancel(principal, id, reason)),
});

export const pauseExecution = defineOperation({
  ...verb,
  name: "pauseExecution",
  summary: "Pause an execution after its present step",
  route: "POST /api/v1/executions/:id/pause",
  input: z.strictObject({ id: PathId, reason: Reason }),
  handle: async ({ services, principal }, { id, reason }) => executionView(await services.executor.pause(principal, id, reason)),
});

export const resumeExecution = defineOperation({
  ...verb,
  name: "resumeExecution",
  summary: "Go on with a paused execution",
  route: "POST /api/v1/executions/:id/resume",
  input: z.strictObject({ id: PathId }),
  handle: async ({ services, principal }, { id }) => executionView(await services.executor.resume(principal, id)),
});

export const retryExecution = defineOperation({
  ...verb,
  name: "retryExecution",
  summary: "Go on with a failed execution at its failed step: again, or past it with an output given here",
  route: "POST /api/v1/executions/:id/retry",
  input: z.strictObject({
    id: PathId,
    mode: z.enum(["retry", "skip"]).meta({ id: "RetryMode" }).optional().describe("retry unless told"),
    output: JsonValue.optional().describe("Output of the skipped step; null unless told"),
  }),
  handle: async ({ services, principal }, { id, mode, output }) =>
    executionView(
      await services.executor.retry(principal, id, {
        ...(mode === undefined ? {} : { mode }),
        ...(output === undefined ? {} : { output }),
      }),
    ),
});

export const signalExecution = defineOperation({
  ...verb,
  name: "signalExecution",
  summary: "Deliver a named event to an execution; one that arrives early is kept",
  route: "POST /api/v1/executions/:id/signal",
  input: z.strictObject({
    id: PathId,
    event: z.string().min(1).max(255),
    data: JsonValue.optional(),
    eventId: z.string().min(1).max(255).optional().describe("The same id counts once"),
  }),
  handle: async ({ services, principal }, { id, event, data, eventId }) =>
    executionView(
      await services.executor.signal(principal, id, {
        event,
        ...(data === undefined ? {} : { data }),
        ...(eventId === undefined ? {} : { eventId }),
      }),
    ),
});
