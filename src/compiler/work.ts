import type { Json } from "../definition/json.ts";
import type { Outcome } from "../definition/step.ts";
import type { Variable } from "../definition/workflow.ts";
import type { Staged } from "./host.ts";
import { toSlot } from "./scope.ts";
import { mergeVariables, type GraphState, type Slot, type StateUpdate } from "./state.ts";

/** The state as one node sees it while it runs one step or a stretch of them, and the update that brings LangGraph there. */
export interface Work {
  state: GraphState;
  update: Required<StateUpdate>;
  staged: Staged;
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

export function createWork(state: GraphState): Work {
  return { state, update: { _vars: {}, _steps: {}, _ctl: {} }, staged: { events: [], steps: 0, finished: [], closedWaits: [], values: [] } };
}

/** The work after one more visit; the given one stays as it is, so that a failed follower can be forgotten. */
export function recordVisit(work: Work, record: VisitRecord, variables: Record<string, Variable>): Work {
  const values = [...work.staged.values];
  const slots: Record<string, Slot> = {};
  for (const [name, value] of record.variables) {
    const inline = (variables[name]?.reducer ?? "replace") !== "replace";
    slots[name] = inline ? { v: value } : toSlot(value, values, `Variable "${name}"`);
  }
  const step = { s: record.outcome, n: record.visit, o: toSlot(record.output, values, `The output of step "${record.stepId}"`) };
  return {
    state: {
      _vars: mergeVariables(variables, work.state._vars, slots),
      _steps: { ...work.state._steps, [record.stepId]: step },
      _ctl: work.state._ctl,
    },
    update: {
      _vars: mergeVariables(variables, work.update._vars, slots),
      _steps: { ...work.update._steps, [record.stepId]: step },
      _ctl: work.update._ctl,
    },
    staged: { ...work.staged, events: [...work.staged.events], finished: [...work.staged.finished, record.path], values },
  };
}
