import type { Json, JsonObject } from "../definition/json.ts";
import type { Split, SplitLoop } from "../steps/step.ts";
import type { GroupRules } from "./host.ts";
import type { StepPlan } from "./plan.ts";
import { toSlot } from "./scope.ts";
import type { Slot } from "./state.ts";
import type { Visit } from "./visit.ts";
import { withControl, type Work } from "./work.ts";

/** A split as the state keeps it: the items once, large ones by reference. */
export interface SplitRecord {
  quorum: number;
  onError: Split["onError"];
  items: Record<string, Slot>;
  loop: (Omit<SplitLoop, "items" | "count"> & { items: Slot | null; length: number | null }) | null;
}

/** Names the regions of one visit; the key of its split, its results and its group. */
export function groupKey(path: string, visit: number): string {
  return `${path}#${visit}`;
}

/** The work with the split noted, for the nodes of the regions to read. */
export function splitUpdate(visit: Visit, work: Work, split: Split): Work {
  const values = [...visit.staged.values];
  const slotOf = (value: Json) => toSlot(value, values, `An item of "${visit.place.stepId}"`);
  const { loop } = split;
  const record: SplitRecord = {
    quorum: split.quorum,
    onError: split.onError,
    items: Object.fromEntries(Object.entries(split.items ?? {}).map(([name, item]) => [name, slotOf(item)])),
    loop: loop
      ? {
          condition: loop.condition,
          maxIterations: loop.maxIterations,
          onItemError: loop.onItemError,
          itemVariable: loop.itemVariable,
          indexVariable: loop.indexVariable,
          items: loop.items === null ? null : slotOf(loop.items),
          length: loop.items === null ? loop.count : loop.items.length,
        }
      : null,
  };
  const key = groupKey(visit.place.path, visit.place.visit);
  return withControl({ ...work, staged: { ...visit.staged, values } }, { [key]: record as unknown as JsonObject });
}

export function splitOf(control: JsonObject, key: string): SplitRecord | undefined {
  // Written by `splitUpdate` alone.
  return control[key] as unknown as SplitRecord | undefined;
}

export function rulesOf(plan: StepPlan, path: string, split: SplitRecord): GroupRules {
  return {
    quorum: split.quorum,
    failFast: split.onError === "failFast",
    branches: Object.fromEntries(plan.regions.map(({ name }) => [name, `${path}.${name}`])),
  };
}
