import { Annotation } from "@langchain/langgraph";
import type { Json, JsonObject } from "../definition/json.ts";
import type { Outcome } from "../definition/step.ts";
import type { Variable } from "../definition/workflow.ts";

/** A value in the state: itself, or a reference to one that is stored once because it is large (`Store.events.values`). */
export type Slot = { v: Json } | { r: string };

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
  /** What steps carry from visit to visit (loop counters). */
  _ctl: JsonObject;
}

export type StateUpdate = Partial<GraphState>;

/**
 * The channels of every compiled graph. `Annotation` validates nothing on write: our outputs are JSON before they get here, and a
 * schema check per superstep is CPU for nothing (`langgraph.md` §1.1). Names start with `_`, so no step id can clash.
 */
export function createChannels(variables: Record<string, Variable>) {
  return Annotation.Root({
    _vars: Annotation<Record<string, Slot>>({ reducer: (left, right) => mergeVariables(variables, left, right), default: () => ({}) }),
    _steps: Annotation<Record<string, StepState>>({ reducer: (left, right) => ({ ...left, ...right }), default: () => ({}) }),
    _ctl: Annotation<JsonObject>({ reducer: (left, right) => ({ ...left, ...right }), default: () => ({}) }),
  });
}

/** Joins variable writes by each variable's reducer. Associative, so that several steps of one node can be joined beforehand. */
export function mergeVariables(variables: Record<string, Variable>, left: Record<string, Slot>, right: Record<string, Slot>): Record<string, Slot> {
  const merged = { ...left };
  for (const [name, slot] of Object.entries(right)) {
    const present = Object.hasOwn(merged, name) ? merged[name] : undefined;
    merged[name] = present === undefined ? slot : mergeSlot(variables[name]?.reducer ?? "replace", present, slot);
  }
  return merged;
}

function mergeSlot(reducer: Variable["reducer"], left: Slot, right: Slot): Slot {
  // Only `replace` variables are ever stored by reference, so both sides hold their value elsewhere.
  if (reducer === "replace" || !("v" in left) || !("v" in right)) return right;
  switch (reducer) {
    case "append":
      return { v: [...asList(left.v), ...asList(right.v)] };
    case "merge":
      return { v: { ...asObject(left.v), ...asObject(right.v) } };
    case "sum":
      return { v: Number(left.v) + Number(right.v) };
    case "min":
      return { v: Math.min(Number(left.v), Number(right.v)) };
    case "max":
      return { v: Math.max(Number(left.v), Number(right.v)) };
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
