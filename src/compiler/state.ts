import { Annotation } from "@langchain/langgraph";
import type { Json, JsonObject } from "../definition/json.ts";
import { bounded } from "../definition/remember.ts";
import type { Outcome } from "../definition/step.ts";
import type { Variable } from "../definition/workflow.ts";

/** Variables that begin with it have no name in expressions and views. */
export const HIDDEN = "$";

/** A value in the state: itself, or a reference to one that is stored once because it is large (`Store.events.values`). */
export type Slot = { v: Json; /** Set by hand: it replaces what is there, whatever the reducer. */ set?: true } | { r: string };

/** What the state keeps of a step: its last visit. */
export interface StepState {
  /** Outcome of the last visit. */
  s: Outcome;
  /** Visits so far. */
  n: number;
  /** Output of the last visit. */
  o: Slot;
}

export interface GraphState {
  _vars: Record<string, Slot>;
  _steps: Record<string, StepState>;
  /** What steps with regions carry: splits, results of branches, rounds of lanes. */
  _ctl: JsonObject;
  /** Inside a region: where it was entered from. The other channels hold only what the region added. */
  _entry?: RegionEntry | undefined;
}

/** A region's view of what is outside of it, fixed when it is entered. */
export interface RegionEntry {
  _vars: Record<string, Slot>;
  _steps: Record<string, StepState>;
  /** `item` and `index` of a region that is no lane: its own, or those of the region around it. `isList`: the item is element `index`. */
  item: Slot | null;
  isList: boolean;
  index: number | null;
  itemVariable: string | null;
  /** Set in a lane of a loop. */
  lane: LaneEntry | null;
  /** The groups this region and those around it belong to: any of them may cancel it. */
  groups: string[];
}

export interface LaneEntry {
  /** This lane and how many there are. */
  lane: number;
  lanes: number;
  items: Slot | null;
  /** Rounds of all lanes together, where that is known. */
  length: number | null;
  condition: string | null;
  maxIterations: number;
  onItemError: "fail" | "continue";
  itemVariable: string | null;
  indexVariable?: string | null | undefined;
}

export type StateUpdate = Partial<Omit<GraphState, "_entry">>;

/**
 * The channels of every compiled graph. `Annotation` validates nothing on write: our outputs are JSON before they get here, and a
 * schema check per superstep is CPU for nothing (`langgraph.md` §1.1). Names start with `_`, so no step id can clash.
 */
export function createChannels(variables: Record<string, Variable>) {
  return Annotation.Root({
    _vars: Annotation<Record<string, Slot>>({ reducer: (left, right) => mergeVariables(variables, left, right), default: () => ({}) }),
    _steps: Annotation<Record<string, StepState>>({ reducer: mergeSteps, default: () => ({}) }),
    _ctl: Annotation<JsonObject>({ reducer: (left, right) => ({ ...left, ...right }), default: () => ({}) }),
    _entry: Annotation<RegionEntry>(),
  });
}

/** A visit number is never given twice, also where lanes of a loop counted side by side. */
export function mergeSteps(left: Record<string, StepState>, right: Record<string, StepState>): Record<string, StepState> {
  const merged = { ...left };
  for (const [id, step] of Object.entries(right)) {
    const visits = left[id]?.n ?? 0;
    merged[id] = visits > step.n ? { ...step, n: visits } : step;
  }
  return merged;
}

/** The state a region's steps see: what was outside when it was entered, and what it added. */
export function visibleRegionState(variables: Record<string, Variable>, state: GraphState): GraphState {
  const entry = state._entry;
  if (!entry) return state;
  return { ...state, _vars: mergeVariables(variables, entry._vars, state._vars), _steps: mergeSteps(entry._steps, state._steps) };
}

/** Joins variable writes by each variable's reducer. Associative, so that several steps of one node can be joined beforehand. */
export function mergeVariables(
  variables: Record<string, Variable>,
  left: Record<string, Slot>,
  right: Record<string, Slot>,
): Record<string, Slot> {
  const merged = { ...left };
  for (const [name, slot] of Object.entries(right)) {
    const present = Object.hasOwn(merged, name) ? merged[name] : undefined;
    merged[name] = present === undefined ? slot : mergeSlot(reducerOf(variables, name), present, slot);
  }
  return merged;
}

/** How a variable joins what is written to it; `remember` is that of a conversation, see memory.ts. */
export function reducerOf(variables: Record<string, Variable>, name: string): Variable["reducer"] | "remember" {
  return name.startsWith(HIDDEN) ? "remember" : (variables[name]?.reducer ?? "replace");
}

function mergeSlot(reducer: Variable["reducer"] | "remember", left: Slot, right: Slot): Slot {
  // Only `replace` variables are ever stored by reference, so both sides hold their value elsewhere.
  if (reducer === "replace" || !("v" in left) || !("v" in right) || right.set) return right;
  const joined = reduced(reducer, left, right);
  // An update that begins with a value set by hand stays one.
  return left.set ? { ...joined, set: true } : joined;
}

function reduced(reducer: Exclude<Variable["reducer"], "replace"> | "remember", left: { v: Json }, right: { v: Json }): { v: Json } {
  switch (reducer) {
    case "remember":
      return { v: bounded([...asList(left.v), ...asList(right.v)]) };
    case "append":
      return { v: [...asList(left.v), ...asList(right.v)] };
    case "merge":
      return { v: { ...asObject(left.v), ...asObject(right.v) } };
    case "sum":
      return { v: Number(left.v) + Number(right.v) };
    case "min":
    case "max":
      // Null is no value yet: the smallest of nothing and 3 is 3.
      if (left.v === null || right.v === null) return left.v === null ? right : left;
      return { v: Math[reducer](Number(left.v), Number(right.v)) };
    case "first":
      return left.v === null ? right : left;
    default:
      return reducer satisfies never;
  }
}

function asList(value: Json): Json[] {
  return Array.isArray(value) ? value : value === null ? [] : [value];
}

function asObject(value: Json): JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}
