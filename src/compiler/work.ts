import type { Json, JsonObject } from "../definition/json.ts";
import type { Outcome } from "../definition/step.ts";
import type { Variable } from "../definition/workflow.ts";
import type { Staged } from "./host.ts";
import { toSlot } from "./scope.ts";
import {
  mergeSteps,
  mergeVariables,
  reducerOf,
  visibleRegionState,
  type GraphState,
  type Slot,
  type StateUpdate,
  type StepState,
} from "./state.ts";

/** The state as one node sees it while it runs one step or a stretch of them, and the update that brings LangGraph there. */
export interface Work {
  state: GraphState;
  update: Required<StateUpdate>;
  staged: Staged;
  /** The step visited last in this node; its output is a region's output. */
  lastStepId: string | null;
}

/** What a finished visit leaves behind. */
export interface VisitRecord {
  stepId: string;
  path: string;
  visit: number;
  outcome: Outcome;
  output: Json;
  variables: [name: string, value: Json][];
}

export function createWork(state: GraphState, variables: Record<string, Variable>): Work {
  return {
    state: visibleRegionState(variables, state),
    update: { _vars: {}, _steps: {}, _ctl: {} },
    staged: { events: [], steps: 0, finished: [], closedWaits: [], values: [] },
    lastStepId: null,
  };
}

/** The work with control values set. */
export function withControl(work: Work, control: JsonObject): Work {
  return {
    ...work,
    state: { ...work.state, _ctl: { ...work.state._ctl, ...control } },
    update: { ...work.update, _ctl: { ...work.update._ctl, ...control } },
  };
}

/** What a region adds to the state around it. */
export interface RegionUpdate {
  vars: Record<string, Slot>;
  steps: Record<string, StepState>;
}

/**
 * The work with what a region added. Here and not by LangGraph's reducers: it joins what tasks of one superstep wrote in the order
 * of their nodes' names, in which lane 10 of a loop comes before lane 2.
 */
export function joinRegion(work: Work, { vars, steps }: RegionUpdate, variables: Record<string, Variable>): Work {
  const joined = <T extends Pick<GraphState, "_vars" | "_steps">>(state: T): T => ({
    ...state,
    _vars: mergeVariables(variables, state._vars, vars),
    _steps: mergeSteps(state._steps, steps),
  });
  return { ...work, state: joined(work.state), update: joined(work.update) };
}

/** The work after one more visit; the given one stays as it is, so that a failed follower can be forgotten. */
export function recordVisit(work: Work, record: VisitRecord, variables: Record<string, Variable>): Work {
  const values = [...work.staged.values];
  const slots: Record<string, Slot> = {};
  for (const [name, value] of record.variables) {
    const inline = reducerOf(variables, name) !== "replace";
    slots[name] = inline ? { v: value } : toSlot(value, values, `Variable "${name}"`);
  }
  const step = { s: record.outcome, n: record.visit, o: toSlot(record.output, values, `The output of step "${record.stepId}"`) };
  return {
    lastStepId: record.stepId,
    state: {
      ...work.state,
      _vars: mergeVariables(variables, work.state._vars, slots),
      _steps: mergeSteps(work.state._steps, { [record.stepId]: step }),
    },
    update: {
      _vars: mergeVariables(variables, work.update._vars, slots),
      _steps: { ...work.update._steps, [record.stepId]: step },
      _ctl: work.update._ctl,
    },
    staged: { ...work.staged, events: [...work.staged.events], finished: [...work.staged.finished, record.path], values },
  };
}
