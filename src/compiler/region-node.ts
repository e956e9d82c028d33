import { Command, GraphInterrupt, isGraphDrained, type LangGraphRunnableConfig } from "@langchain/langgraph";
import type { Json, JsonObject } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import type { RegionResult } from "../steps/step.ts";
import type { WorkflowGraph } from "./compile.ts";
import type { StepHost, Staged } from "./host.ts";
import { openRun, type NodeRun, type NodeSetup } from "./node.ts";
import { pathOf, visitsOf } from "./open-visit.ts";
import type { PlannedRegion, StepPlan } from "./plan.ts";
import type { RegionEnd, RegionSetup } from "./region-end.ts";
import { nextRound, roundResults } from "./rounds.ts";
import { createScope, regionNames, ROUND, toSlot } from "./scope.ts";
import { groupKey, rulesOf, splitOf, type SplitRecord } from "./split.ts";
import type { GraphState, RegionEntry, Slot } from "./state.ts";
import { createWork, type RegionUpdate, type Work } from "./work.ts";

interface RegionNodeOptions {
  /** The graph around the region. */
  outer: NodeSetup;
  owner: StepPlan;
  region: PlannedRegion;
  inner: RegionSetup;
  /** The region's own graph. */
  graph: WorkflowGraph;
}

/** What the node that gathers finds of a region. What the region wrote is joined there, in the order of the definition. */
export interface StoredResult extends Pick<RegionResult, "status" | "error">, Partial<RegionUpdate> {
  output: Slot;
}

/**
 * One node around the compiled subgraph of a region. A subgraph has supersteps of its own, so a slow region never holds back a
 * fast one; the node's own body is free of effects, because LangGraph runs it again on every resume (`langgraph.md` §1.2, §5.15).
 */
export function createRegionNode({ outer, owner, region, inner, graph }: RegionNodeOptions) {
  return async (state: GraphState, config: LangGraphRunnableConfig): Promise<Command> => {
    const run = openRun(outer, state, config);
    const ns = config.executionInfo?.checkpointNs ?? "";
    const work = createWork(state, outer.workflow.definition.variables);
    const path = pathOf(outer.region?.branch ?? null, owner.step.id);
    const key = groupKey(path, visitsOf(work, owner.step.id) + 1);
    const split = splitOf(work.state._ctl, key);
    if (!split) throw new Error(`the split of ${key} is missing`);
    // The steps inside look at it: also where the region is not needed any more, they say what became of them.
    run.host.groupSignal(key, rulesOf(owner, path, split));
    const entry = await entryOf(run, work, split, key, region, owner.regions.length);
    try {
      const first = await firstRound(entry);
      if (first.isOver) return await end({ status: "completed", last: null, error: null }, {}, work.staged);
      const input = { _entry: entry, _vars: {}, _steps: {}, _ctl: first.control };
      const out = (await graph.invoke(input, config)) as unknown as GraphState;
      // Every way out of a region's graph sets it.
      return await end(out._ctl["$end"] as unknown as RegionEnd, out, work.staged);
    } catch (thrown) {
      // A loop whose condition cannot be evaluated fails, as it does in a later round.
      if (thrown instanceof SignalboxError && !run.host.signal.aborted) {
        return await end({ status: "failed", last: null, error: { code: thrown.code, message: thrown.message } }, {}, work.staged);
      }
      // A drain beside a parked region would count as a failure of this node, and its step would run twice (`langgraph.md` §5.9).
      throw isGraphDrained(thrown) ? new GraphInterrupt([]) : thrown;
    }

    async function firstRound(entered: RegionEntry): Promise<{ isOver: boolean; control: JsonObject }> {
      if (!entered.lane) return { isOver: false, control: {} };
      const begun = await nextRound(
        run.host,
        { ...createWork(state, outer.workflow.definition.variables), state: { ...work.state, _entry: entered, _ctl: {} } },
        entered.lane,
        inner.conditionReads,
        null,
      );
      return { isOver: begun.isOver, control: { [ROUND]: begun.work.state._ctl[ROUND] ?? 0 } };
    }

    async function end(how: RegionEnd, out: Partial<GraphState>, staged: Staged): Promise<Command> {
      const isKept = how.status === "completed";
      const closedWaits = how.status === "cancelled" ? run.host.waitsWithin(inner.branch) : [];
      const values = [...staged.values];
      const update: RegionUpdate = { vars: isKept ? (out._vars ?? {}) : {}, steps: out._steps ?? {} };
      const result: StoredResult = { status: how.status, error: how.error, output: await outputOf(how, out, values), ...update };
      run.host.stage(run.taskId, {
        ...staged,
        values,
        steps: 0,
        closedWaits,
        region: { group: key, name: region.name, status: how.status, ns },
      });
      return new Command({
        update: { _vars: {}, _steps: {}, _ctl: { [`${key}/${region.name}`]: result as unknown as JsonObject } },
        goto: owner.gatherNode,
      });
    }

    async function outputOf(how: RegionEnd, out: Partial<GraphState>, values: Staged["values"]): Promise<Slot> {
      if (split?.loop)
        return toSlot(
          (await roundResults(run.host, out._ctl ?? {})) as unknown as Json,
          values,
          `The results of "${owner.step.id}"`,
          1_024,
        );
      return (how.last === null ? undefined : out._steps?.[how.last]?.o) ?? { v: null };
    }
  };
}

/** What the region sees of the outside, and what `item` is in it. */
async function entryOf(
  { host }: NodeRun,
  work: Work,
  split: SplitRecord,
  key: string,
  region: PlannedRegion,
  lanes: number,
): Promise<RegionEntry> {
  const { _vars, _steps, _entry } = work.state;
  // Item and index of the loop around keep their names where `item` and `index` become others.
  const outside = { _vars: { ..._vars, ...(await namedRound(host, work.state)) }, _steps, groups: [...(_entry?.groups ?? []), key] };
  if (split.loop) {
    const lane = { ...split.loop, lane: Number(region.name), lanes };
    return { ...outside, item: null, isList: false, index: null, itemVariable: null, lane };
  }
  const own = split.items[region.name];
  if (own) return { ...outside, item: own, isList: false, index: region.index, itemVariable: null, lane: null };
  const { from, isList, index } = regionNames(work.state);
  return { ...outside, item: from, isList, index, itemVariable: null, lane: null };
}

async function namedRound(host: StepHost, state: GraphState): Promise<Record<string, Slot>> {
  const { variable, indexVariable, index } = regionNames(state);
  const ofIndex = indexVariable === null ? {} : { [indexVariable]: { v: index } };
  if (variable === null) return ofIndex;
  const { item } = (await createScope(host, { ...state, _vars: {} }, new Set())) as { item?: Json };
  return { ...ofIndex, [variable]: { v: item ?? null } };
}
