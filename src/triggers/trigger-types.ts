import path from "node:path";
import { loadFiles, unusable } from "../registry.ts";
import type { TriggerType } from "./trigger.ts";

const TRIGGER_FILE = /\.trigger\.(ts|js|mjs)$/;

/** The trigger types this process knows. */
export interface TriggerTypes {
  get(type: string): TriggerType | undefined;
  /** All of them by name. */
  list(): TriggerType[];
}

/** Loads every `*.trigger.ts` of the service and of the operators' own folder; INVALID_INPUT names a file that is of no use. */
export async function loadTriggerTypes(options: { folder?: string | undefined } = {}): Promise<TriggerTypes> {
  const found = await loadFiles({
    folders: [import.meta.dirname, ...(options.folder === undefined ? [] : [path.resolve(options.folder)])],
    pattern: TRIGGER_FILE,
    isOne: isTriggerType,
    what: "trigger type",
    how: "defineTrigger({ type, title, config, wake, ... })",
  });
  const byName = new Map<string, { value: TriggerType; file: string }>();
  for (const entry of found) {
    const other = byName.get(entry.value.type);
    if (other) throw unusable(entry.file, "trigger type", `takes the name "${entry.value.type}", which ${other.file} has`);
    byName.set(entry.value.type, entry);
  }
  const all = [...byName.values()].map(({ value }) => value).toSorted((left, right) => (left.type < right.type ? -1 : 1));
  return { get: (type) => byName.get(type)?.value, list: () => [...all] };
}

function isTriggerType(value: unknown): value is TriggerType {
  if (typeof value !== "object" || value === null) return false;
  const { type, title, config, wake } = value as Partial<TriggerType>;
  return (
    typeof type === "string" &&
    typeof title === "string" &&
    typeof wake === "function" &&
    typeof (config as { safeParse?: unknown } | undefined)?.safeParse === "function"
  );
}
