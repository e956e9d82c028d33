import { z } from "zod";
import { Decision } from "../../definition/decision.ts";
import { ExecutionEvent } from "../../definition/event.ts";
import { CheckpointView, StepRecord } from "../../definition/execution.ts";
import { JsonRecord } from "../../definition/json.ts";
import { Approval } from "../../definition/wait.ts";
import { ExecutionStats } from "../../definition/workflow.ts";
import { SignalboxError } from "../../errors.ts";
import type { CallContext } from "../operations/operation.ts";
import { DEFAULT_EVENTS, MAX_EVENTS } from "../operations/execution-history.ts";
import { approvalView } from "../views/approval.ts";
import { executionView, ExecutionView } from "../views/execution.ts";
import { bareWorkflow, workflowStats, WorkflowView } from "../views/workflow.ts";

/** A GraphQL field that reads more than its parent holds; parents of one query are loaded together. */
export interface Relation {
  type: "Workflow" | "WorkflowExecution";
  field: string;
  summary: string;
  args: z.ZodObject;
  output: z.ZodType;
  /** The parent's field the values are loaded by. */
  by: "id" | "workflowId";
  /** One value per key, in order, for parents asked with the same arguments. */
  load(context: CallContext, keys: readonly string[], args: unknown): Promise<readonly unknown[]>;
}

function relation<S extends z.ZodObject>(
  declaration: Omit<Relation, "args" | "load"> & {
    args: S;
    load(context: CallContext, keys: readonly string[], args: z.output<S>): Promise<readonly unknown[]>;
  },
): Relation {
  return declaration;
}

const NO_ARGS = z.strictObject({});
const Count = z.number().int().min(1).max(MAX_EVENTS);
const Seq = z.number().int().min(0);

const loadStats = ({ services, principal }: CallContext, ids: readonly string[]) =>
  workflowStats(services.workflows, principal.tenant, ids);

export const RELATIONS: readonly Relation[] = [
  relation({
    type: "Workflow",
    field: "executions",
    summary: "Its newest executions",
    by: "id",
    args: z.strictObject({ limit: z.number().int().min(1).max(200).optional().describe("20 unless told; 200 at most") }),
    output: z.array(ExecutionView),
    async load({ services, principal }, ids, { limit }) {
      const found = await services.store.executions.recentOf(principal.tenant, ids, limit ?? 20);
      return ids.map((id) => (found.get(id) ?? []).map(executionView));
    },
  }),
  relation({
    type: "Workflow",
    field: "executionStats",
    summary: "Counts of its executions",
    by: "id",
    args: NO_ARGS,
    output: ExecutionStats,
    load: async (context, ids) => (await loadStats(context, ids)).map(({ executionStats }) => executionStats),
  }),
  relation({
    type: "Workflow",
    field: "lastExecuted",
    summary: "When it was started last",
    by: "id",
    args: NO_ARGS,
    output: z.string().nullable(),
    load: async (context, ids) => (await loadStats(context, ids)).map(({ lastExecuted }) => lastExecuted),
  }),
  relation({
    type: "WorkflowExecution",
    field: "workflow",
    summary: "The workflow as it is now; `workflowVersion` tells which version runs",
    by: "workflowId",
    args: NO_ARGS,
    output: WorkflowView.nullable(),
    async load({ services, principal }, ids) {
      const found = new Map(
        (await services.workflows.getMany(principal.tenant, ids)).map((workflow) => [workflow.id, bareWorkflow(workflow)]),
      );
      return ids.map((id) => found.get(id) ?? null);
    },
  }),
  relation({
    type: "WorkflowExecution",
    field: "children",
    summary: "The newest executions its steps started",
    by: "id",
    args: z.strictObject({ limit: z.number().int().min(1).max(200).optional().describe("20 unless told; 200 at most") }),
    output: z.array(ExecutionView),
    async load({ services, principal }, ids, { limit }) {
      const found = await services.store.executions.childrenOf(principal.tenant, ids, limit ?? 20);
      return ids.map((id) => (found.get(id) ?? []).map(executionView));
    },
  }),
  relation({
    type: "WorkflowExecution",
    field: "steps",
    summary: "The visits of its steps",
    by: "id",
    args: NO_ARGS,
    output: z.array(StepRecord),
    async load({ services, principal }, ids) {
      const found = await services.executor.stepsOf(principal.tenant, ids);
      return ids.map((id) => found.get(id) ?? []);
    },
  }),
  relation({
    type: "WorkflowExecution",
    field: "events",
    summary: "Its history: the first events after `afterSeq`, or the `last` ones before `beforeSeq`",
    by: "id",
    args: z.strictObject({
      afterSeq: Seq.optional(),
      beforeSeq: Seq.optional(),
      first: Count.optional().describe(`With afterSeq; ${DEFAULT_EVENTS} unless told`),
      last: Count.optional().describe(`With beforeSeq; ${DEFAULT_EVENTS} unless told`),
    }),
    output: z.array(ExecutionEvent as z.ZodType<ExecutionEvent>),
    async load({ services, principal }, ids, { afterSeq, beforeSeq, first, last }) {
      const goesBack = beforeSeq !== undefined || last !== undefined;
      if (goesBack && (afterSeq !== undefined || first !== undefined)) {
        throw new SignalboxError("INVALID_INPUT", "Give afterSeq and first, or beforeSeq and last.");
      }
      const page = goesBack
        ? { beforeSeq: beforeSeq ?? Number.MAX_SAFE_INTEGER, limit: last ?? DEFAULT_EVENTS }
        : { afterSeq: afterSeq ?? 0, limit: first ?? DEFAULT_EVENTS };
      const found = await services.store.events.pagesOf(principal.tenant, ids, page);
      return ids.map((id) => found.get(id) ?? []);
    },
  }),
  relation({
    type: "WorkflowExecution",
    field: "decisions",
    summary: "Its recorded decisions, oldest first",
    by: "id",
    args: NO_ARGS,
    output: z.array(Decision),
    async load({ services, principal }, ids) {
      const found = await services.store.decisions.listOf(principal.tenant, ids);
      return ids.map((id) => found.get(id) ?? []);
    },
  }),
  relation({
    type: "WorkflowExecution",
    field: "approvals",
    summary: "Its approvals, oldest first",
    by: "id",
    args: NO_ARGS,
    output: z.array(Approval),
    async load({ services, principal }, ids) {
      const found = await services.store.waits.listOf(principal.tenant, ids, "approval");
      return ids.map((id) => (found.get(id) ?? []).map(approvalView));
    },
  }),
  relation({
    type: "WorkflowExecution",
    field: "checkpoints",
    summary: "The points it can be looked at",
    by: "id",
    args: NO_ARGS,
    output: z.array(CheckpointView),
    load: ({ services, principal }, ids) => Promise.all(ids.map((id) => services.executor.checkpoints(principal.tenant, id))),
  }),
  relation({
    type: "WorkflowExecution",
    field: "stateAt",
    summary: "Variables and step outputs right after event `seq`; secret variables are left out",
    by: "id",
    args: z.strictObject({ seq: Seq }),
    output: JsonRecord.nullable(),
    load: ({ services, principal }, ids, { seq }) => Promise.all(ids.map((id) => services.executor.stateAt(principal.tenant, id, seq))),
  }),
];
