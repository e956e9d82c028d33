import type { Json, JsonObject } from "../../src/definition/json.ts";
import type { Outcome } from "../../src/definition/step.ts";
import type { Variable, WorkflowDefinition } from "../../src/definition/workflow.ts";

/** What is known of a step: its last visit. */
export interface Visited {
  outcome: Outcome;
  visits: number;
  output: Json;
}

/** What a flow of steps knows: what was there when it began, and what it did itself, which others see once it has ended. */
export interface Knowledge {
  outside: { writes: readonly Write[]; steps: ReadonlyMap<string, Visited> };
  writes: Write[];
  steps: Map<string, Visited>;
}

export type Write = readonly [variable: string, value: Json];

export function newKnowledge(around?: Knowledge): Knowledge {
  if (!around) return { outside: { writes: [], steps: new Map() }, writes: [], steps: new Map() };
  return { outside: { writes: allWrites(around), steps: allSteps(around) }, writes: [], steps: new Map() };
}

function allWrites({ outside, writes }: Knowledge): Write[] {
  return [...outside.writes, ...writes];
}

export function allSteps({ outside, steps }: Knowledge): Map<string, Visited> {
  return new Map([...outside.steps, ...steps]);
}

/** Joins what an inner flow did. Visit numbers only grow: lanes of a loop count side by side. */
export function joinKnowledge(into: Knowledge, from: Knowledge, options: { keepsWrites: boolean }): void {
  if (options.keepsWrites) into.writes.push(...from.writes);
  for (const [id, step] of from.steps) {
    const visits = Math.max(step.visits, allSteps(into).get(id)?.visits ?? 0);
    into.steps.set(id, { ...step, visits });
  }
}

/** A visit about to end: its `when` sees what it did. */
export interface OwnVisit extends Visited {
  step: string;
  writes: Write[];
}

/** `vars`, `steps`, and in a region `item` and `index`. */
export function namesSeen(definition: WorkflowDefinition, knowledge: Knowledge, names: RegionNames, own?: OwnVisit): JsonObject {
  const visited = allSteps(knowledge);
  const seen = definition.steps.map(({ id }): [string, JsonObject] => {
    if (own?.step === id) return [id, { outcome: own.outcome, visits: own.visits, output: own.output }];
    return [id, { ...(visited.get(id) ?? { output: null, outcome: null, visits: 0 }) }];
  });
  const vars = { ...variablesOf(definition, [...allWrites(knowledge), ...(own?.writes ?? [])]), ...names.variables };
  const region = names.index === undefined ? {} : { item: names.item ?? null, index: names.index };
  return { vars, steps: Object.fromEntries(seen), ...region };
}

/** What a region calls what it works on; `variables` are the items of the loops around by their own names. */
export interface RegionNames {
  item?: Json;
  index?: number | null;
  variables: JsonObject;
}

/** The variables after all writes, each joined to the one before by its reducer. */
function variablesOf({ variables }: WorkflowDefinition, writes: readonly Write[]): JsonObject {
  const values: JsonObject = {};
  for (const [name, { default: value }] of Object.entries(variables)) values[name] = value ?? null;
  for (const [name, value] of writes) {
    values[name] = Object.hasOwn(values, name) ? joined(variables[name]?.reducer ?? "replace", values[name] ?? null, value) : value;
  }
  return values;
}

function joined(reducer: Variable["reducer"], present: Json, value: Json): Json {
  switch (reducer) {
    case "replace":
      return value;
    case "first":
      return present ?? value;
    case "append":
      return [...listOf(present), ...listOf(value)];
    case "merge":
      return { ...(present as JsonObject | null), ...(value as JsonObject | null) };
    case "sum":
      return Number(present) + Number(value);
    case "min":
    case "max":
      // A variable without a value yet takes the first one.
      return present === null || value === null ? (present ?? value) : Math[reducer](Number(present), Number(value));
    default:
      return reducer satisfies never;
  }
}

function listOf(value: Json): Json[] {
  if (Array.isArray(value)) return value;
  return value === null ? [] : [value];
}
