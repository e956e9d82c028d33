import { randomUUID } from "node:crypto";
import { Command, END, interrupt, isGraphInterrupt, type LangGraphRunnableConfig } from "@langchain/langgraph";
import { SignalboxError } from "../errors.ts";
import { finishVisit, type Finished } from "./finish.ts";
import type { Parking, StepHost, StepPlace } from "./host.ts";
import type { StepPlan, WorkflowPlan } from "./plan.ts";
import { createScope } from "./scope.ts";
import type { GraphState } from "./state.ts";
import { runVisit, type ParkedState, type Visit } from "./visit.ts";
import { createWork, type Work } from "./work.ts";

/** Steps one node runs at most before it commits; bounds what a crash repeats and how long others wait for the event loop. */
const MAX_STRETCH = 32;

export interface NodeSetup {
  workflow: WorkflowPlan;
  /** Region path, null at the root. */
  branch: string | null;
  /** The step a region ends before; null at the root. */
  end: string | null;
  hostOf(threadId: string): StepHost;
}

/**
 * The LangGraph node of one step. It runs its step and then, in the same superstep and commit, the pure steps that follow: a
 * superstep costs 0.24 ms of CPU, an expression microseconds, and pure steps can be repeated after a crash without anybody noticing.
 */
export function createNode(setup: NodeSetup, first: StepPlan) {
  return async (state: GraphState, config: LangGraphRunnableConfig): Promise<Command> => {
    const host = setup.hostOf(String(config.configurable?.["thread_id"]));
    const taskId = config.executionInfo?.taskId;
    if (taskId === undefined) throw new SignalboxError("INTERNAL", "LangGraph gave the node no task id.");
    let done = await runFirst(setup, host, first, createWork(state));
    for (let steps = 1; steps < MAX_STRETCH && done.next !== null && done.next !== setup.end; steps++) {
      const follower = setup.workflow.steps.get(done.next);
      if (!follower?.type.pure || follower.type.regions) break;
      const after = await runFollower(setup, host, follower, done.work);
      if (!after) break;
      done = after;
    }
    host.stage(taskId, done.work.staged);
    return new Command({ update: done.work.update, goto: done.next === null || done.next === setup.end ? END : done.next });
  };
}

async function runFirst(setup: NodeSetup, host: StepHost, plan: StepPlan, work: Work): Promise<Finished> {
  const visit = await openVisit(setup, host, plan, work);
  if (visit.wait && visit.wait.answer === null) return suspend(() => {});
  const end = await runVisit(visit);
  if (end.kind === "wait") {
    return park(visit, { waitId: randomUUID(), wait: { ...end.request, state: parkedState(end.request.state) }, staged: visit.staged });
  }
  const finished = await finishVisit(visit, work, end);
  if ("failure" in finished) {
    const wait = { kind: "failure" as const, dueAt: null, state: null };
    return park(visit, { waitId: randomUUID(), wait, staged: visit.staged, failure: finished.failure });
  }
  if (visit.wait) finished.work.staged.closedWaits.push(visit.wait.id);
  return finished;
}

/** A pure step after another one. Whatever goes wrong is forgotten here and happens again when the step is its own node. */
async function runFollower(setup: NodeSetup, host: StepHost, plan: StepPlan, work: Work): Promise<Finished | undefined> {
  const visit = await openVisit(setup, host, plan, { ...work, staged: { ...work.staged, events: [...work.staged.events], values: [...work.staged.values] } });
  if (visit.wait) return undefined;
  const end = await runVisit(visit);
  if (end.kind !== "done") return undefined;
  const finished = await finishVisit(visit, { ...work, staged: visit.staged }, end);
  return "failure" in finished || finished.handled ? undefined : finished;
}

async function openVisit(setup: NodeSetup, host: StepHost, plan: StepPlan, work: Work): Promise<Visit> {
  const { branch } = setup;
  const stepId = plan.step.id;
  const path = branch === null ? stepId : `${branch}/${stepId}`;
  const number = (work.state._steps[stepId]?.n ?? 0) + 1;
  const wait = host.waitAt(path, number);
  const attempt = host.attemptsAt(path, number) + 1;
  const place: StepPlace = { stepId, branch, path, visit: number, attempt: wait ? attemptAfter(wait) : attempt };
  if (!wait) work.staged.steps += 1;
  const fresh = new Map(work.staged.values.map(({ ref, value }) => [ref, value]));
  return { workflow: setup.workflow, plan, host, scope: await createScope(host, work.state, plan.reads, fresh), place, wait, staged: work.staged };
}

/** Coming back to a wait of the step's own continues its attempt; a back-off or a retry by hand begins a new one. */
function attemptAfter(wait: { kind: string; state: unknown; attempt: number }): number {
  const isRetry = wait.kind === "failure" || (wait.state !== null && typeof wait.state === "object" && Object.hasOwn(wait.state, "retry"));
  return isRetry ? wait.attempt + 1 : wait.attempt;
}

function parkedState(state: Parking["wait"]["state"]): Parking["wait"]["state"] {
  const isRetry = state !== null && typeof state === "object" && !Array.isArray(state) && state["retry"] === true;
  return (isRetry ? { retry: true } : { step: state }) satisfies ParkedState;
}

function park(visit: Visit, parking: Parking): never {
  return suspend((interruptId) => visit.host.park(visit.place, parking, interruptId));
}

/**
 * Interrupts the node. `interrupt()` first hands back every answer of earlier interrupts of this task, in order; what they said is
 * in our own waits, so it is called until it throws.
 */
function suspend(register: (interruptId: string) => void): never {
  for (;;) {
    try {
      interrupt({ parked: true });
    } catch (thrown) {
      const id = isGraphInterrupt(thrown) ? thrown.interrupts[0]?.id : undefined;
      if (id !== undefined) register(id);
      throw thrown;
    }
  }
}
