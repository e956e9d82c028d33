import { Command, END, type LangGraphRunnableConfig } from "@langchain/langgraph";
import type { ExecutionError } from "../definition/execution.ts";
import { COMPENSATE_NODE, FAILURE } from "./compensation.ts";
import { finishVisit } from "./finish.ts";
import type { Compensation } from "./host.ts";
import { openRun, type NodeRun, type NodeSetup } from "./node.ts";
import { openVisit } from "./open-visit.ts";
import { park, parkedState, suspend } from "./park.ts";
import type { StepPlan } from "./plan.ts";
import type { GraphState } from "./state.ts";
import { runVisit } from "./visit.ts";
import { createWork, type Work } from "./work.ts";

/** Region path of compensations in events and idempotency keys. */
const BRANCH = "=";
/**
 * Undoes completed steps in reverse order of their completion, one per superstep, each with its own retry, and then fails the
 * execution with the error that began it. `item` is {stepId, visit, output} of what is undone. A compensation that fails for good
 * is on record and does not keep the others from running.
 */
export function createCompensateNode(outer: NodeSetup) {
  const region = { branch: BRANCH, start: "", end: null, isLane: false, conditionReads: new Set<string>(), absorbsErrors: true };
  const setup: NodeSetup = { ...outer, region };
  return async (state: GraphState, config: LangGraphRunnableConfig): Promise<Command> => {
    const run = openRun(setup, state, config);
    const { variables } = outer.workflow.definition;
    const done = run.host.execution.compensations.at(-1);
    const plan = done && outer.workflow.steps.get(outer.workflow.steps.get(done.stepId)?.step.compensate ?? "");
    const work = createWork(done ? await withItem(run, state, done) : state, variables);
    if (!done || !plan) return endFailed(run, work);
    const undone = await undo(run, plan, work);
    run.host.stage(run.taskId, { ...undone.staged, compensated: { path: done.path, visit: done.visit } });
    return new Command({ update: undone.update, goto: COMPENSATE_NODE });
  };
}

async function undo(run: NodeRun, plan: StepPlan, work: Work): Promise<Work> {
  const visit = await openVisit(run, plan, work);
  if (visit.wait && visit.wait.answer === null) return suspend(() => {});
  const end = await runVisit(visit);
  if (end.kind === "wait") return park(visit, { wait: { ...end.request, state: parkedState(end.request.state) }, staged: visit.staged });
  const finished = end.kind === "split" ? undefined : await finishVisit(visit, work, end);
  const after = finished && "work" in finished ? finished.work : { ...work, staged: visit.staged };
  if (visit.wait) after.staged.closedWaits.push(visit.wait.id);
  return after;
}

function endFailed({ host, taskId }: NodeRun, work: Work): Command {
  // Written by `beginCompensation` alone.
  const failure = work.state._ctl[FAILURE] as unknown as ExecutionError;
  host.stage(taskId, { ...work.staged, end: { failure } });
  return new Command({ update: work.update, goto: END });
}

/** Compensations see what they undo as `item`. */
async function withItem({ host }: NodeRun, state: GraphState, { stepId, visit, output }: Compensation): Promise<GraphState> {
  const own = "v" in output ? output.v : ((await host.values([output.r])).get(output.r) ?? null);
  const item = { v: { stepId, visit, output: own } };
  return { ...state, _entry: { _vars: {}, _steps: {}, item, isList: false, index: null, itemVariable: null, lane: null, groups: [] } };
}
