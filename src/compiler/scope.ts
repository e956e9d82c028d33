import { createHash } from "node:crypto";
import type { Scope } from "../definition/expression.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { Execution } from "../definition/execution.ts";
import { SignalboxError } from "../errors.ts";
import type { StepHost } from "./host.ts";
import { HIDDEN, type GraphState, type Slot } from "./state.ts";

/** Values larger than this travel by reference: every checkpoint would carry them again. 8 KiB, `langgraph.md` §4. */
export const INLINE_BYTES = 8 * 1_024;
/** Where a lane keeps the number of its present round. */
export const ROUND = "$round";
/** Largest single output. */
export const MAX_VALUE_BYTES = 4 * 1_024 * 1_024;

/**
 * The names an expression sees, for one step: the variables and the outputs of the steps it reads, large ones loaded. `fresh` has
 * large values of this superstep, which the store does not know yet.
 */
export async function createScope(
  host: StepHost,
  state: GraphState,
  reads: ReadonlySet<string>,
  fresh: ReadonlyMap<string, Json> = new Map(),
): Promise<Scope> {
  const slots = new Map<string, Slot>();
  for (const id of reads) {
    const step = state._steps[id];
    if (step) slots.set(id, step.o);
  }
  const region = regionNames(state);
  const refs = [...slots.values(), ...Object.values(state._vars), ...(region.from ? [region.from] : [])].flatMap((slot) =>
    "r" in slot && !fresh.has(slot.r) ? [slot.r] : [],
  );
  const loaded = refs.length > 0 ? await host.values(refs) : undefined;
  const value = (slot: Slot): Json => ("v" in slot ? slot.v : (fresh.get(slot.r) ?? loaded?.get(slot.r) ?? null));
  const steps: Record<string, JsonObject> = {};
  for (const id of reads) {
    const step = state._steps[id];
    // A step that was not entered yet has an output of null rather than no name: conditions may ask about it.
    steps[id] = step ? { output: value(step.o), outcome: step.s, visits: step.n } : { output: null, outcome: null, visits: 0 };
  }
  const named = Object.entries(state._vars).filter(([name]) => !name.startsWith(HIDDEN));
  const vars: JsonObject = Object.fromEntries(named.map(([name, slot]) => [name, value(slot)]));
  const names = executionScope(host.execution);
  if (!region.from && region.index === null) return { ...names, vars, steps };
  const whole = region.from ? value(region.from) : null;
  const item = region.isList ? (Array.isArray(whole) ? (whole[region.index ?? 0] ?? null) : null) : whole;
  if (region.variable !== null) vars[region.variable] = item;
  if (region.indexVariable !== null) vars[region.indexVariable] = region.index;
  return { ...names, vars, steps, item, index: region.index };
}

/** Where `item` and `index` come from: the round of a lane, or what the region was entered with. */
export function regionNames({ _entry, _ctl }: GraphState): {
  from: Slot | null;
  isList: boolean;
  index: number | null;
  variable: string | null;
  indexVariable: string | null;
} {
  const lane = _entry?.lane;
  if (!lane)
    return {
      from: _entry?.item ?? null,
      isList: _entry?.isList ?? false,
      index: _entry?.index ?? null,
      variable: _entry?.itemVariable ?? null,
      indexVariable: null,
    };
  const round = typeof _ctl[ROUND] === "number" ? _ctl[ROUND] : null;
  const { itemVariable: variable, indexVariable = null } = lane;
  return { from: lane.items, isList: true, index: round, variable, indexVariable };
}

function executionScope(execution: Readonly<Execution>): Scope {
  return {
    input: execution.input,
    event: execution.trigger.event,
    trigger: { type: execution.trigger.type, id: execution.trigger.id },
    execution: {
      id: execution.id,
      workflowId: execution.workflowId,
      workflowVersion: execution.workflowVersion,
      startedBy: execution.startedBy,
      createdAt: execution.createdAt,
    },
  };
}

/** A value as it enters the state: inline when small, by reference when large. TOO_LARGE above 4 MiB. */
export function toSlot(value: Json, values: { ref: string; value: Json }[], what: string, inlineBytes = INLINE_BYTES): Slot {
  // A cheap bound first: most outputs are small, and their exact size does not matter.
  if (value === null || typeof value !== "object") {
    if (typeof value !== "string" || value.length < inlineBytes / 3) return { v: value };
  }
  const text = JSON.stringify(value);
  if (text.length < inlineBytes / 3) return { v: value };
  const bytes = Buffer.byteLength(text);
  if (bytes <= inlineBytes) return { v: value };
  if (bytes > MAX_VALUE_BYTES) {
    throw new SignalboxError("TOO_LARGE", `${what} has ${bytes} bytes; ${MAX_VALUE_BYTES} are allowed.`, {
      details: { bytes, limit: MAX_VALUE_BYTES },
    });
  }
  const ref = createHash("sha256").update(text).digest("hex").slice(0, 32);
  values.push({ ref, value });
  return { r: ref };
}
