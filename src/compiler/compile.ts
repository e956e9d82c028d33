import {
  END,
  START,
  StateGraph,
  type BaseCheckpointSaver,
  type CompiledStateGraph,
  type LangGraphRunnableConfig,
} from "@langchain/langgraph";
import { parseExpression } from "../definition/expression.ts";
import type { WorkflowDefinition } from "../definition/workflow.ts";
import type { StepTypes } from "../registry.ts";
import { createCompensateNode } from "./compensate.ts";
import { COMPENSATE_NODE } from "./compensation.ts";
import { createGatherNode } from "./gather-node.ts";
import type { StepHost } from "./host.ts";
import { createNode, type NodeSetup } from "./node.ts";
import { pathOf } from "./open-visit.ts";
import { planWorkflow, type PlannedRegion, type StepPlan, type WorkflowPlan } from "./plan.ts";
import type { RegionSetup } from "./region-end.ts";
import { createRegionNode } from "./region-node.ts";
import { createChannels, type GraphState, type StateUpdate } from "./state.ts";

// LangGraph's builder infers node names from literals; ours are data, so the graph is typed by its state and update alone.
export type WorkflowGraph = CompiledStateGraph<GraphState, StateUpdate, string>;

export interface CompiledWorkflow {
  plan: WorkflowPlan;
  graph: WorkflowGraph;
}

export interface CompileOptions {
  stepTypes: StepTypes;
  checkpointer: BaseCheckpointSaver;
  /** The session that runs the execution of a thread. */
  hostOf(session: string): StepHost;
}

/**
 * Compiles a checked definition into a LangGraph state graph: one node per step, all routing by `Command.goto`, and for a step
 * with regions one node around a subgraph per region and one that gathers. Pure.
 */
export function compileWorkflow(definition: WorkflowDefinition, { stepTypes, checkpointer, hostOf }: CompileOptions): CompiledWorkflow {
  const plan = planWorkflow(definition, stepTypes);
  const builder = buildGraph({ workflow: plan, region: null, hostOf }, plan.start);
  return { plan, graph: builder.compile({ checkpointer, name: definition.name }) };
}

/** The builder as it is used with names that are data. */
interface DataGraph {
  addNode(
    name: string,
    node: (state: GraphState, config: LangGraphRunnableConfig) => unknown,
    options: { ends: string[]; subgraphs?: WorkflowGraph[] },
  ): void;
  addEdge(from: string, to: string): void;
  compile(options: { checkpointer?: BaseCheckpointSaver; name?: string }): WorkflowGraph;
}

/** The graph of the root or of a region: the steps that are reached from `start` without leaving it. */
function buildGraph(setup: NodeSetup, start: string): DataGraph {
  const { workflow, region } = setup;
  const builder = new StateGraph(createChannels(workflow.definition.variables)) as unknown as DataGraph;
  // A step inside a region hands its failure to the region, never to the workflow's handler.
  const handler = region ? undefined : workflow.definition.onError?.goto;
  for (const plan of stepsFrom(workflow, start, region?.end ?? null, handler)) {
    const ends = targetsOf(plan, handler).filter((target) => target !== region?.end);
    const rounds = region?.isLane ? [region.start] : [];
    const after = [...new Set([...ends, ...rounds]), END];
    if (plan.regions.length === 0) {
      builder.addNode(plan.step.id, createNode(setup, plan), { ends: after });
      continue;
    }
    builder.addNode(plan.step.id, createNode(setup, plan), { ends: [...plan.regions.map(({ node }) => node), ...after] });
    builder.addNode(plan.gatherNode, createGatherNode(setup, plan), { ends: [...plan.regions.map(({ node }) => node), ...after] });
    for (const inner of plan.regions) addRegion(builder, setup, plan, inner);
  }
  if (!region && [...workflow.steps.values()].some(({ step }) => step.compensate !== undefined)) {
    builder.addNode(COMPENSATE_NODE, createCompensateNode(setup), { ends: [COMPENSATE_NODE, END] });
  }
  builder.addEdge(START, start);
  return builder;
}

function addRegion(builder: DataGraph, outer: NodeSetup, owner: StepPlan, region: PlannedRegion): void {
  const inner = regionSetup(outer, owner, region);
  const graph = buildGraph({ ...outer, region: inner }, region.start).compile({ name: region.node });
  builder.addNode(region.node, createRegionNode({ outer, owner, region, inner, graph }), { ends: [owner.gatherNode], subgraphs: [graph] });
}

function regionSetup(outer: NodeSetup, owner: StepPlan, { name, start, end }: PlannedRegion): RegionSetup {
  const { config } = owner.step;
  const condition = config["while"];
  return {
    branch: `${pathOf(outer.region?.branch ?? null, owner.step.id)}.${name}`,
    start,
    end,
    isLane: owner.type.runsRounds === true,
    conditionReads: typeof condition === "string" ? parseExpression(condition).stepIds : new Set(),
    absorbsErrors:
      collects(owner) || leadsErrorsOn(owner) || (outer.region ? outer.region.absorbsErrors : isHandling(outer.workflow.definition)),
  };
}

function collects({ step }: StepPlan): boolean {
  return step.config["onBranchError"] === "collect" || step.config["onItemError"] === "continue";
}

function leadsErrorsOn({ step, routes }: StepPlan): boolean {
  const { action } = step.onError ?? {};
  return routes.some(({ next }) => next.on === "error") || action === "continue" || action === "goto";
}

function isHandling({ onError }: WorkflowDefinition): boolean {
  return onError !== undefined && onError.action !== "fail" && onError.action !== "pause";
}

/** Steps of one flow; those inside the regions of its steps belong to the regions. */
function stepsFrom(workflow: WorkflowPlan, start: string, end: string | null, handler: string | undefined): StepPlan[] {
  const found = new Map<string, StepPlan>();
  const open = [start];
  for (let id = open.pop(); id !== undefined; id = open.pop()) {
    const plan = workflow.steps.get(id);
    if (!plan || found.has(id) || id === end) continue;
    found.set(id, plan);
    open.push(...targetsOf(plan, handler));
  }
  return [...found.values()];
}

/** Where a step may go: LangGraph itself does not check a goto, the checker does. */
function targetsOf({ step, routes }: StepPlan, handler: string | undefined): string[] {
  const policies = [step.onError?.goto, handler];
  return [...new Set([...routes.map(({ next }) => next.to), ...policies.filter((target) => target !== undefined)])];
}
