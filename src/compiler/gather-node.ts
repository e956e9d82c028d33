import { Command, isGraphBubbleUp, type LangGraphRunnableConfig } from "@langchain/langgraph";
import type { JsonObject } from "../definition/json.ts";
import { ERRORS, SignalboxError, toSignalboxError, type ErrorCode } from "../errors.ts";
import type { RegionResult } from "../steps/step.ts";
import { stepContext } from "./context.ts";
import { finishVisit } from "./finish.ts";
import { leave, leaveFailed, openRun, type NodeRun, type NodeSetup } from "./node.ts";
import { openVisit } from "./open-visit.ts";
import { suspend } from "./park.ts";
import type { StepPlan } from "./plan.ts";
import type { StoredResult } from "./region-node.ts";
import { groupKey, splitOf } from "./split.ts";
import type { GraphState } from "./state.ts";
import type { Visit, VisitEnd } from "./visit.ts";
import { createWork, withControl, type Work } from "./work.ts";

/** The node where the regions of a step come together: it makes the step's result of theirs, or its failure, and goes on. */
export function createGatherNode(setup: NodeSetup, plan: StepPlan) {
  return async (state: GraphState, config: LangGraphRunnableConfig): Promise<Command> => {
    const run = openRun(setup, state, config);
    const work = createWork(state, setup.workflow.definition.variables);
    const visit = await openVisit(run, plan, work, { isCounted: false });
    const key = groupKey(visit.place.path, visit.place.visit);
    const results = await resultsOf(run, plan, work, key);
    if (visit.wait?.kind === "failure") {
      if (visit.wait.answer === null) return suspend(() => {});
      if (visit.wait.answer.data["mode"] !== "skip") return again(run, visit, work, key, results);
    }
    const end = gather(visit, work, key, results);
    const cleared = withControl(work, Object.fromEntries([key, ...plan.regions.map(({ name }) => `${key}/${name}`)].map((name) => [name, null])));
    cleared.staged.closedGroups = [{ key, again: [] }];
    const finished = await finishVisit(visit, cleared, end);
    if ("failure" in finished) return await leaveFailed(run, visit, { ...work, staged: { ...work.staged, closedGroups: undefined } }, finished);
    if (visit.wait) finished.work.staged.closedWaits.push(visit.wait.id);
    return await leave(run, finished);
  };
}

function gather(visit: Visit, work: Work, key: string, results: RegionResult[]): Exclude<VisitEnd, { kind: "wait" | "split" }> {
  const skipped = visit.wait?.answer?.data;
  if (skipped) return { kind: "done", outcome: "success", output: skipped["output"] ?? null };
  const failed = results.find(({ status }) => status === "failed");
  if (failed && splitOf(work.state._ctl, key)?.onError === "failFast") return { kind: "failed", error: errorOf(failed) };
  try {
    const result = visit.plan.type.gather?.(stepContext(visit, visit.signal), results);
    if (result?.kind === "done") return { kind: "done", outcome: result.outcome ?? "success", output: result.output ?? null, goto: result.goto };
    throw new SignalboxError("INTERNAL", `Step type "${visit.plan.type.type}" does not gather its regions.`);
  } catch (thrown) {
    if (isGraphBubbleUp(thrown)) throw thrown;
    return { kind: "failed", error: toSignalboxError(thrown) };
  }
}

/** A retry by hand runs the regions again that did not complete, from their start. */
function again(run: NodeRun, visit: Visit, work: Work, key: string, results: RegionResult[]): Command {
  const names = results.filter(({ status }) => status !== "completed").map(({ name }) => name);
  const nodes = visit.plan.regions.filter(({ name }) => names.includes(name)).map(({ node }) => node);
  const reset = withControl(work, Object.fromEntries(names.map((name) => [`${key}/${name}`, null])));
  run.host.stage(run.taskId, { ...reset.staged, closedWaits: visit.wait ? [visit.wait.id] : [], closedGroups: [{ key, again: names }] });
  return new Command({ update: reset.update, goto: nodes });
}

async function resultsOf({ host }: NodeRun, plan: StepPlan, work: Work, key: string): Promise<RegionResult[]> {
  return await Promise.all(
    plan.regions.map(async ({ name }): Promise<RegionResult> => {
      // Written by the region's node alone.
      const stored = work.state._ctl[`${key}/${name}`] as unknown as StoredResult | null | undefined;
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
