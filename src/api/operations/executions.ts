import { z } from "zod";
import { Duration, durationMs } from "../../definition/duration.ts";
import { ExecutionInput, ExecutionStatus, TERMINAL_STATUSES } from "../../definition/execution.ts";
import { DEFAULT_PAGE_SIZE, PageRequest } from "../../definition/page.ts";
import { SignalboxError } from "../../errors.ts";
import { executionView, ExecutionView } from "../views/execution.ts";
import { defineList, defineOperation, PathId } from "./operation.ts";

const MAX_WAIT_MS = 60_000;

const WaitFor = Duration.refine((text) => (durationMs(text) ?? Infinity) <= MAX_WAIT_MS, "must be 60s at most").describe(
  'How long to wait for the end, like "10s"; 60s at most',
);

export const ExecutionFilter = z
  .strictObject({
    workflowId: PathId.optional(),
    status: ExecutionStatus.optional(),
    parentId: PathId.optional().describe("Those that this execution started"),
  })
  .meta({ id: "ExecutionFilter" });

export const executeWorkflow = defineOperation({
  name: "executeWorkflow",
  summary: "Start an execution; it is durable when this answers",
  noun: "executions",
  kind: "mutation",
  scope: "executions:write",
  route: "POST /api/v1/workflows/:id/execute",
  status: 202,
  input: z.strictObject({
    id: PathId,
    input: ExecutionInput,
    wait: WaitFor.optional(),
    idempotencyKey: z.string().min(1).max(255).optional().describe("The same key gives the first execution again"),
  }),
  output: ExecutionView,
  headers: {
    idempotencyKey: {
      header: "idempotency-key",
      description: "The same key gives the first execution again; with another body it is refused",
    },
    wait: { header: "prefer", description: "`wait=10`: seconds to wait for the end, as RFC 7240", read: preferredWait },
  },
  bodyAliases: { input_data: "inputData" },
  errors: ["NOT_FOUND", "WORKFLOW_NOT_ACTIVE", "IDEMPOTENCY_MISMATCH", "LIMIT_EXCEEDED"],
  async handle({ services, principal, traceparent, signal }, { id, input: { input, inputData, ...rest }, wait, idempotencyKey }) {
    if (input !== undefined && inputData !== undefined) {
      throw new SignalboxError("INVALID_INPUT", "`input` and `inputData` are two names of one field; give one.", {
        issues: [{ code: "AMBIGUOUS", pointer: "/inputData", message: "is another name of `input`, which is given too" }],
      });
    }
    const request = { ...rest, workflowId: id, input: input ?? inputData ?? {}, idempotencyKey, traceparent };
    const { execution } = await services.executor.start(principal, request);
    const timeoutMs = wait === undefined ? undefined : durationMs(wait);
    if (timeoutMs === undefined || TERMINAL_STATUSES.has(execution.status)) return executionView(execution);
    return executionView(await services.executor.waitForEnd(principal.tenant, execution.id, { timeoutMs, signal: signal() }));
  },
  reply: (execution, { wait }) => ({
    status: wait !== undefined && TERMINAL_STATUSES.has(execution.status) ? 200 : 202,
    headers: { location: `/api/v1/executions/${execution.id}` },
  }),
});

export const executions = defineList({
  name: "executions",
  summary: "List executions, newest first",
  noun: "executions",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/executions",
  status: 200,
  input: z.strictObject({ filter: ExecutionFilter.optional(), ...PageRequest }),
  items: ExecutionView,
  pageName: "WorkflowExecutionPage",
  errors: ["INVALID_PAGE_TOKEN"],
  async handle({ services, principal }, { filter, pageSize, pageToken }) {
    const page = await services.executor.list(principal.tenant, { ...filter, pageSize: pageSize ?? DEFAULT_PAGE_SIZE, pageToken });
    return { ...page, items: page.items.map(executionView) };
  },
});

export const execution = defineOperation({
  name: "execution",
  summary: "Read an execution",
  noun: "executions",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/executions/:id",
  status: 200,
  input: z.strictObject({ id: PathId }),
  output: ExecutionView,
  errors: ["NOT_FOUND"],
  handle: async ({ services, principal }, { id }) => executionView(await services.executor.get(principal.tenant, id)),
});

function preferredWait(prefer: string): string | undefined {
  const match = /(?:^|[,;]\s*)wait=(\d{1,5})\s*(?:$|[,;])/i.exec(prefer);
  return match ? `${match[1]}s` : undefined;
}
