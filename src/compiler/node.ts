import { Command, END, isGraphBubbleUp, type LangGraphRunnableConfig } from "@langchain/langgraph";
import { SignalboxError } from "../errors.ts";
import { stepEvent } from "./events.ts";
import { finishVisit, isFatal, type Failed, type Finished } from "./finish.ts";
import { SESSION, type StepHost } from "./host.ts";
import { openVisit } from "./open-visit.ts";
import { withEdits } from "./override.ts";
import { park, parkedState, suspend } from "./park.ts";
import type { StepPlan, WorkflowPlan } from "./plan.ts";
import { endOfRegion, failedRegion, type RegionSetup } from "./region-end.ts";
import { splitUpdate } from "./split.ts";
import type { GraphState } from "./state.ts";
import { runVisit, type Visit } from "./visit.ts";
import { createWork, recordVisit, withControl, type Work } from "./work.ts";

/** Steps one node runs at most before it commits; bounds what a crash repeats and how long others wait for the event loop. */
const MAX_STRETCH = 32;

export interface NodeSetup {
  workflow: WorkflowPlan;
  /** Null at the root. */
  region: RegionSetup | null;
  hostOf(session: string): StepHost;
}

/** What a node run knows beside the state. */
export interface NodeRun {
  setup: NodeSetup;
  host: StepHost;
  taskId: string;
  /** Aborted when a group this region belongs to has enough. */
  regionSignal: AbortSignal | undefined;
}

/**
 * The LangGraph node of one step. It runs its step and then, in the same superstep and commit, the pure steps that follow: a
 * superstep costs 0.24 ms of CPU, an expression microseconds, and pure steps can be repeated after a crash without anybody noticing.
 */
export function createNode(setup: NodeSetup, first: StepPlan) {
  return async (state: GraphState, config: LangGraphRunnableConfig): Promise<Command> => {
    const run = openRun(setup, state, config);
    const work = withEdits(run, first, createWork(state, setup.workflow.definition.variables));
    const visit = await openVisit(run, first, work);
    if (isNotNeeded(run)) return cancelVisit(run, work, visit);
    if (visit.wait && visit.wait.answer === null) return suspend(() => {});
    const end = await runVisit(visit).catch((thrown: unknown) => rethrowUnlessNotNeeded(run, thrown));
    // What began to wait or failed only now would keep a branch open, or fail it, that is not needed any more.
    if (!end || (isNotNeeded(run) && (end.kind === "wait" || end.kind === "failed"))) return cancelVisit(run, work, visit);
    if (end.kind === "wait") return park(visit, { wait: { ...end.request, state: parkedState(end.request.state) }, staged: visit.staged });
    if (end.kind === "split") return enterRegions(run, visit, splitUpdate(visit, work, end.split));
    const finished = await finishVisit(visit, work, end);
    if ("failure" in finished) return await leaveFailed(run, visit, work, finished);
    if (visit.wait) finished.work.staged.closedWaits.push(visit.wait.id);
    return await leave(run, finished);
  };
}

export function openRun(setup: NodeSetup, state: GraphState, config: LangGraphRunnableConfig): NodeRun {
  const host = setup.hostOf(String(config.configurable?.[SESSION]));
  const taskId = config.executionInfo?.taskId;
  if (taskId === undefined) throw new SignalboxError("INTERNAL", "LangGraph gave the node no task id.");
  const signals = (state._entry?.groups ?? []).flatMap((key) => host.groupSignal(key) ?? []);
  return { setup, host, taskId, regionSignal: signals.length > 0 ? AbortSignal.any(signals) : undefined };
}

/** On from a finished visit: pure steps in the same superstep, then the next node, the next round, or the end of the region. */
export async function leave(run: NodeRun, finished: Finished): Promise<Command> {
  const { setup, host, taskId } = run;
  let done = finished;
  for (let steps = 1; steps < MAX_STRETCH; steps++) {
    if (isOpenEnd(setup, done) && setup.region?.isLane) done = await endOfRegion(run, done.work, null);
    if (isEnd(setup, done.next)) break;
    const follower = setup.workflow.steps.get(done.next ?? "");
    if (!follower?.type.pure || follower.type.regions) break;
    const after = await runFollower(run, follower, done.work);
    if (!after) break;
    done = after;
  }
  if (isOpenEnd(setup, done) && setup.region) done = await endOfRegion(run, done.work, null);
  host.stage(taskId, done.work.staged);
  return new Command({ update: done.work.update, goto: isEnd(setup, done.next) ? END : (done.next ?? END) });
}

/** A step failed and nothing of its own took care: the region does, or the execution fails here and can be retried here. */
export async function leaveFailed(run: NodeRun, visit: Visit, work: Work, { failure }: Failed): Promise<Command> {
  const { setup } = run;
  if (setup.region?.absorbsErrors && !isFatal(failure.error)) {
    const failed = await endOfRegion(run, failedRegion(visit, work, failure.error), failure.error);
    if (visit.wait) failed.work.staged.closedWaits.push(visit.wait.id);
    return await leave(run, failed);
  }
  return park(visit, { wait: { kind: "failure", dueAt: null, state: null }, staged: visit.staged, failure });
}

function enterRegions(run: NodeRun, visit: Visit, work: Work): Command {
  if (visit.wait) work.staged.closedWaits.push(visit.wait.id);
  run.host.stage(run.taskId, work.staged);
  return new Command({ update: work.update, goto: visit.plan.regions.map(({ node }) => node) });
}

/** A pure step after another one. Whatever goes wrong is forgotten here and happens again when the step is its own node. */
async function runFollower(run: NodeRun, plan: StepPlan, work: Work): Promise<Finished | undefined> {
  const staged = { ...work.staged, events: [...work.staged.events], values: [...work.staged.values] };
  const visit = await openVisit(run, plan, { ...work, staged });
  if (visit.wait) return undefined;
  if (isNotNeeded(run)) return forget(run);
  const end = await runVisit(visit).catch((thrown: unknown) => rethrowUnlessNotNeeded(run, thrown));
  if (!end) return forget(run);
  const finished = end.kind === "done" ? await finishVisit(visit, { ...work, staged: visit.staged }, end) : undefined;
  if (finished && !("failure" in finished) && !finished.handled) return finished;
  return forget(run);
}

function forget({ host }: NodeRun): undefined {
  host.countStep(-1);
}

function isEnd({ region }: NodeSetup, next: string | null): boolean {
  return next === null || next === region?.end;
}

/** The end of a region that has not been noted yet. */
function isOpenEnd(setup: NodeSetup, { next, work }: Finished): boolean {
  return isEnd(setup, next) && work.state._ctl["$end"] === undefined;
}

/** True once enough other regions of a group this one belongs to have ended. */
export function isNotNeeded({ host, regionSignal }: NodeRun): boolean {
  return regionSignal?.aborted === true && !host.signal.aborted;
}

function rethrowUnlessNotNeeded(run: NodeRun, thrown: unknown): undefined {
  if (isGraphBubbleUp(thrown) || !isNotNeeded(run)) throw thrown;
}

/**
 * Ends a region that is not needed any more, whatever its step was doing. A visit that had begun is on record as cancelled and its
 * number is used up: the next visit of that step must not come with an idempotency key that somebody has seen.
 */
export function cancelVisit(run: NodeRun, work: Work, visit: Visit): Command {
  const { host, setup, taskId } = run;
  const { stepId, path, visit: number } = visit.place;
  const hasBegun = visit.wait !== undefined || host.attemptsAt(path, number) > 0;
  let after: Work = { ...work, staged: { ...visit.staged, steps: 0, events: [] } };
  if (hasBegun) {
    const { variables } = setup.workflow.definition;
    after = recordVisit(
      { ...work, staged: visit.staged },
      { stepId, path, visit: number, outcome: "error", output: null, variables: [] },
      variables,
    );
    const data = {
      code: "CANCELLED",
      message: "The branch is not needed any more.",
      type: visit.plan.type.type,
      handled: "cancelled",
      next: null,
    };
    after.staged.events.push(
      stepEvent(visit, "step.failed", `${visit.plan.step.name} was cancelled: the branch is not needed any more.`, data),
    );
  } else host.countStep(-1);
  const ended = withControl(after, { $end: { status: "cancelled", last: null, error: null } });
  host.stage(taskId, { ...ended.staged, closedWaits: host.waitsWithin(setup.region?.branch ?? "") });
  return new Command({ update: ended.update, goto: END });
}
