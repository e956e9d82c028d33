import { END, START, StateGraph, type BaseCheckpointSaver, type CompiledStateGraph } from "@langchain/langgraph";
import type { WorkflowDefinition } from "../definition/workflow.ts";
import type { StepTypes } from "../registry.ts";
import type { StepHost } from "./host.ts";
import { createNode } from "./node.ts";
import { planWorkflow, type StepPlan, type WorkflowPlan } from "./plan.ts";
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
  hostOf(threadId: string): StepHost;
}

/** Compiles a checked definition into a LangGraph state graph: one node per step, all routing by `Command.goto`. Pure. */
export function compileWorkflow(definition: WorkflowDefinition, { stepTypes, checkpointer, hostOf }: CompileOptions): CompiledWorkflow {
  const plan = planWorkflow(definition, stepTypes);
  const builder = new StateGraph(createChannels(definition.variables)) as unknown as DataGraph;
  for (const step of plan.steps.values()) {
    const node = createNode({ workflow: plan, branch: null, end: null, hostOf }, step);
    builder.addNode(step.step.id, node, { ends: [...targetsOf(step, definition), END] });
  }
  builder.addEdge(START, plan.start);
  return { plan, graph: builder.compile({ checkpointer, name: definition.name }) };
}

/** The builder as it is used with names that are data. */
interface DataGraph {
  addNode(name: string, node: ReturnType<typeof createNode>, options: { ends: string[] }): void;
  addEdge(from: string, to: string): void;
  compile(options: { checkpointer: BaseCheckpointSaver; name: string }): WorkflowGraph;
}

/** Where a step may go, for drawing: LangGraph itself does not check a goto, the checker does. */
function targetsOf({ step, routes }: StepPlan, definition: WorkflowDefinition): string[] {
  const policies = [step.onError?.goto, definition.onError?.goto];
  return [...new Set([...routes.map(({ next }) => next.to), ...policies.filter((target) => target !== undefined)])];
}
