import { Command, isGraphBubbleUp, type LangGraphRunnableConfig } from "@langchain/langgraph";
import type { Json, JsonObject } from "../definition/json.ts";
import { ERRORS, SignalboxError, toSignalboxError, type ErrorCode } from "../errors.ts";
import type { RegionResult } from "../steps/step.ts";
import { stepContext } from "./context.ts";
import { finishVisit } from "./finish.ts";
import { cancelVisit, isNotNeeded, leave, leaveFailed, openRun, type NodeRun, type NodeSetup } from "./node.ts";
import { openVisit, pathOf, visitsOf } from "./open-visit.ts";
import { withEdits } from "./override.ts";
import { suspend } from "./park.ts";
import type { StepPlan } from "./plan.ts";
import type { StoredResult } from "./region-node.ts";
import { withOutputs, type Round } from "./rounds.ts";
import { groupKey, splitOf } from "./split.ts";
import type { GraphState } from "./state.ts";
import type { Visit, VisitEnd } from "./visit.ts";
import { createWork, joinRegion, withControl, type Work } from "./work.ts";

/** The node where the regions of a step come together: it makes the step's result of theirs, or its failure, and goes on. */
export function createGatherNode(setup: NodeSetup, plan: StepPlan) {
  return async (state: GraphState, config: LangGraphRunnableConfig): Promise<Command> => {
    const run = openRun(setup, state, config);
    const { variables } = setup.workflow.definition;
    const before = withEdits(run, plan, createWork(state, variables));
    const key = groupKey(pathOf(setup.region?.branch ?? null, plan.step.id), visitsOf(before, plan.step.id) + 1);
    const work = plan.regions.reduce((joined, { name }) => {
      const { vars = {}, steps = {} } = storedOf(before, key, name) ?? {};
      return joinRegion(joined, { vars, steps }, variables);
    }, before);
    const visit = await openVisit(run, plan, work, { isCounted: false });
    if (isNotNeeded(run)) {
      work.staged.closedGroups = [{ key, again: [] }];
      return cancelVisit(run, work, visit);
    }
    const results = await resultsOf(run, plan, work, key);
    if (visit.wait?.kind === "failure") {
      if (visit.wait.answer === null) return suspend(() => {});
      if (visit.wait.answer.data["mode"] !== "skip") return again(run, visit, before, key, results);
    }
    const end = await gather(visit, work, key, results);
    const cleared = withControl(
      work,
      Object.fromEntries([key, ...plan.regions.map(({ name }) => `${key}/${name}`)].map((name) => [name, null])),
    );
    cleared.staged.closedGroups = [{ key, again: [] }];
    const finished = await finishVisit(visit, cleared, end);
    if ("failure" in finished)
      return await leaveFailed(run, visit, { ...work, staged: { ...work.staged, closedGroups: undefined } }, finished);
    if (visit.wait) finished.work.staged.closedWaits.push(visit.wait.id);
    return await leave(run, finished);
  };
}

async function gather(
  visit: Visit,
  work: Work,
  key: string,
  results: RegionResult[],
): Promise<Exclude<VisitEnd, { kind: "wait" | "split" }>> {
  const skipped = visit.wait?.answer?.data;
  if (skipped) return { kind: "done", outcome: "success", output: skipped["output"] ?? null };
  const failed = results.find(({ status }) => status === "failed");
  const split = splitOf(work.state._ctl, key);
  const isEnough = split !== undefined && results.filter(({ status }) => status === "completed").length >= split.quorum;
  if (failed && !isEnough && split?.onError === "failFast") return { kind: "failed", error: errorOf(failed) };
  try {
    const whole = visit.plan.type.runsRounds ? await withRounds(visit, results) : results;
    const result = visit.plan.type.gather?.(stepContext(visit, visit.signal), whole);
    if (result?.kind === "done")
      return { kind: "done", outcome: result.outcome ?? "success", output: result.output ?? null, goto: result.goto };
    throw new SignalboxError("INTERNAL", `Step type "${visit.plan.type.type}" does not gather its regions.`);
  } catch (thrown) {
    if (isGraphBubbleUp(thrown)) throw thrown;
    return { kind: "failed", error: toSignalboxError(thrown) };
  }
}

/** A lane's output is the list of its rounds; the large outputs among theirs were left in the store. */
async function withRounds({ host }: Visit, lanes: RegionResult[]): Promise<RegionResult[]> {
  const all = lanes.flatMap(({ output }) => (output ?? []) as unknown as Round[]);
  const loaded = new Map((await withOutputs(host, all)).map((round) => [round.index, round]));
  return lanes.map((lane) => ({
    ...lane,
    output: ((lane.output ?? []) as unknown as Round[]).map(({ index }) => loaded.get(index)) as unknown as Json,
  }));
}

/** A retry by hand runs the regions again that did not complete, from their start. */
function again(run: NodeRun, visit: Visit, work: Work, key: string, results: RegionResult[]): Command {
  const names = results.filter(({ status }) => status !== "completed").map(({ name }) => name);
  const nodes = visit.plan.regions.filter(({ name }) => names.includes(name)).map(({ node }) => node);
  const reset = withControl(work, Object.fromEntries(names.map((name) => [`${key}/${name}`, null])));
  run.host.stage(run.taskId, {
    ...reset.staged,
    closedWaits: visit.wait ? [visit.wait.id] : [],
    closedGroups: [{ key, again: names }],
    edited: [visit.place.path],
  });
  return new Command({ update: reset.update, goto: nodes });
}

function storedOf({ state }: Work, key: string, name: string): StoredResult | null | undefined {
  // Written by the region's node alone.
  return state._ctl[`${key}/${name}`] as unknown as StoredResult | null | undefined;
}

async function resultsOf({ host }: NodeRun, plan: StepPlan, work: Work, key: string): Promise<RegionResult[]> {
  return await Promise.all(
    plan.regions.map(async ({ name }): Promise<RegionResult> => {
      const stored = storedOf(work, key, name);
      if (!stored) return { name, status: "cancelled", output: null, error: null };
      const output = "v" in stored.output ? stored.output.v : ((await host.values([stored.output.r])).get(stored.output.r) ?? null);
      return { name, status: stored.status, output, error: stored.error };
    }),
  );
}

function errorOf({ name, error }: RegionResult): SignalboxError {
  const code = error?.code ?? "STEP_FAILED";
  const known = Object.hasOwn(ERRORS, code) ? (code as ErrorCode) : "STEP_FAILED";
  const details: JsonObject = { region: name, code };
  return new SignalboxError(known, `Branch "${name}" failed: ${error?.message ?? ""}`, { details });
}
