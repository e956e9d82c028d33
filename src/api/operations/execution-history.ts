import { z } from "zod";
import { ExecutionEvent } from "../../definition/event.ts";
import { CheckpointView, StepRecord } from "../../definition/execution.ts";
import { JsonRecord, JsonValue } from "../../definition/json.ts";
import { notFound } from "../../errors.ts";
import { defineList, defineOperation, PathId } from "./operation.ts";

export const DEFAULT_EVENTS = 200;
export const MAX_EVENTS = 1_000;

const Seq = z.number().int().min(0);

const history = {
  noun: "executions",
  kind: "query",
  scope: "executions:read",
  status: 200,
  errors: ["NOT_FOUND"],
} as const;

export const events = defineList({
  ...history,
  name: "events",
  summary: "Read an execution's events, oldest first",
  route: "GET /api/v1/executions/:executionId/events",
  input: z
    .strictObject({
      executionId: PathId,
      afterSeq: Seq.optional().describe("Events after this seq; from the first unless told"),
      beforeSeq: Seq.optional().describe("The newest events before this seq, instead of `afterSeq`"),
      limit: z.number().int().min(1).max(MAX_EVENTS).optional().describe(`${DEFAULT_EVENTS} unless told`),
    })
    .refine(({ afterSeq, beforeSeq }) => afterSeq === undefined || beforeSeq === undefined, {
      path: ["beforeSeq"],
      message: "cannot be combined with afterSeq",
    }),
  items: ExecutionEvent,
  pageName: "ExecutionEventPage",
  async handle({ services, principal }, { executionId, afterSeq, beforeSeq, limit = DEFAULT_EVENTS }) {
    const page = beforeSeq === undefined ? { afterSeq: afterSeq ?? 0, limit } : { beforeSeq, limit };
    return { items: await services.executor.events(principal.tenant, executionId, page) };
  },
});

export const steps = defineList({
  ...history,
  name: "steps",
  summary: "Read the visits of an execution's steps: status, attempts, times, output, error",
  route: "GET /api/v1/executions/:executionId/steps",
  input: z.strictObject({ executionId: PathId }),
  items: StepRecord,
  pageName: "StepRecordPage",
  handle: async ({ services, principal }, { executionId }) => ({ items: await services.executor.steps(principal.tenant, executionId) }),
});

export const checkpoints = defineList({
  ...history,
  name: "checkpoints",
  summary: "List the points an execution can be looked at",
  route: "GET /api/v1/executions/:executionId/checkpoints",
  input: z.strictObject({ executionId: PathId }),
  items: CheckpointView,
  pageName: "CheckpointPage",
  handle: async ({ services, principal }, { executionId }) => ({
    items: await services.executor.checkpoints(principal.tenant, executionId),
  }),
});

export const stateAt = defineOperation({
  ...history,
  name: "stateAt",
  summary: "Read variables and step outputs as they were right after event `seq`; secret variables are left out",
  route: "GET /api/v1/executions/:executionId/state",
  input: z.strictObject({ executionId: PathId, seq: Seq }),
  output: JsonRecord,
  handle: async ({ services, principal }, { executionId, seq }) => services.executor.stateAt(principal.tenant, executionId, seq),
});

export const storedValue = defineOperation({
  ...history,
  name: "storedValue",
  summary: "Read a value that is shown elsewhere as `{ $ref }`, because it is large",
  route: "GET /api/v1/executions/:executionId/values/:ref",
  input: z.strictObject({ executionId: PathId, ref: PathId }),
  output: z.object({ ref: z.string(), value: JsonValue }).meta({ id: "StoredValue" }),
  async handle({ services, principal }, { executionId, ref }) {
    await services.executor.get(principal.tenant, executionId);
    const values = await services.store.events.values(principal.tenant, executionId, [ref]);
    const value = values.get(ref);
    if (value === undefined) throw notFound("value", ref);
    return { ref, value };
  },
});
