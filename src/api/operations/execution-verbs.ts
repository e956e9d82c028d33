import { z } from "zod";
import { RetryEdit } from "../../definition/dead-letter.ts";
import { RetryMode } from "../../definition/execution.ts";
import { JsonValue } from "../../definition/json.ts";
import { executionView, ExecutionView } from "../views/execution.ts";
import { defineOperation, PathId } from "./operation.ts";

const Reason = z.string().max(1_000).optional().describe("Kept in the history");

const Key = z.string().min(1).max(255).optional().describe("Asked again under the same key, it counts once");

const verb = {
  noun: "executions",
  kind: "mutation",
  scope: "executions:write",
  status: 200,
  output: ExecutionView,
  headers: {
    idempotencyKey: {
      header: "idempotency-key",
      description: "Asked again under the same key, it counts once and is answered again; with another request the key is refused",
    },
  },
  errors: ["NOT_FOUND", "CONFLICT", "IDEMPOTENCY_MISMATCH"],
} as const;

export const cancelExecution = defineOperation({
  ...verb,
  name: "cancelExecution",
  summary: "Cancel an execution; cancelling a cancelled one is no error",
  route: "POST /api/v1/executions/:id/cancel",
  input: z.strictObject({ id: PathId, reason: Reason, idempotencyKey: Key }),
  handle: async ({ services, principal }, { id, reason, ...once }) =>
    executionView(await services.executor.cancel(principal, id, reason, once)),
});

export const pauseExecution = defineOperation({
  ...verb,
  name: "pauseExecution",
  summary: "Pause an execution after its present step",
  route: "POST /api/v1/executions/:id/pause",
  input: z.strictObject({ id: PathId, reason: Reason, idempotencyKey: Key }),
  handle: async ({ services, principal }, { id, reason, ...once }) =>
    executionView(await services.executor.pause(principal, id, reason, once)),
});

export const resumeExecution = defineOperation({
  ...verb,
  name: "resumeExecution",
  summary: "Go on with a paused execution, or take back a pause that waits for a step",
  route: "POST /api/v1/executions/:id/resume",
  input: z.strictObject({ id: PathId, idempotencyKey: Key }),
  handle: async ({ services, principal }, { id, ...once }) => executionView(await services.executor.resume(principal, id, once)),
});

export const retryExecution = defineOperation({
  ...verb,
  name: "retryExecution",
  summary: "Go on with a failed execution at its failed step: again, again with something changed, or past it with an output given here",
  route: "POST /api/v1/executions/:id/retry",
  input: z.strictObject({
    id: PathId,
    mode: RetryMode.optional().describe("retry unless told"),
    output: JsonValue.optional().describe("Output of the skipped step; null unless told"),
    edit: RetryEdit.optional().describe("With the mode edit: what is changed first"),
    idempotencyKey: Key,
  }),
  handle: async ({ services, principal }, { id, mode = "retry", output = null, ...rest }) =>
    executionView(await services.executor.retry(principal, id, { mode, output, ...rest })),
});

export const dismissExecution = defineOperation({
  ...verb,
  name: "dismissExecution",
  summary: "Say that nothing is to be done about a failed execution: it leaves the dead letters until it is retried and fails again",
  route: "POST /api/v1/executions/:id/dismiss",
  input: z.strictObject({ id: PathId, note: Reason, idempotencyKey: Key }),
  handle: async ({ services, principal }, { id, note = null, ...once }) =>
    executionView(await services.executor.dismiss(principal, id, { note, ...once })),
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
    idempotencyKey: Key,
  }),
  handle: async ({ services, principal }, { id, event, data, eventId, ...once }) =>
    executionView(
      await services.executor.signal(principal, id, {
        ...once,
        event,
        ...(data === undefined ? {} : { data }),
        ...(eventId === undefined ? {} : { eventId }),
      }),
    ),
});
