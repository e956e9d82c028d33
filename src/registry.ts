import { readdir } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import { SignalboxError } from "./errors.ts";
import type { StepType } from "./steps/step.ts";

const STEP_FILE = /\.step\.(ts|js|mjs)$/;
const OWN_STEPS = path.join(import.meta.dirname, "steps");

/** The step types this process knows. */
export interface StepTypes {
  /** By name or by alias. */
  get(type: string): StepType | undefined;
  /** All of them by name, aliases not counted. */
  list(): StepType[];
}

/**
 * Loads every `*.step.ts` of the service and of the operators' own folder. A file that cannot be loaded, holds no step type, or
 * takes a name that is taken is named in an INVALID_INPUT error: a start with half of the step types would fail executions later.
 */
export async function loadStepTypes(options: { folder?: string | undefined } = {}): Promise<StepTypes> {
  const files = await stepFiles(OWN_STEPS);
  if (options.folder !== undefined) files.push(...(await stepFiles(path.resolve(options.folder))));
  const found: { stepType: StepType; file: string }[] = [];
  for (const file of files) found.push(...(await typesIn(file)));
  return createStepTypes(found);
}

/** A registry of the given step types; `file` is what a clash of names is reported with. */
export function createStepTypes(found: readonly { stepType: StepType; file: string }[]): StepTypes {
  const byName = new Map<string, { stepType: StepType; file: string }>();
  for (const entry of found) {
    for (const name of [entry.stepType.type, ...(entry.stepType.aliases ?? [])]) {
      const other = byName.get(name);
      if (other) throw unusable(entry.file, `takes the name "${name}", which ${other.file} has`);
      byName.set(name, entry);
    }
  }
  const all = found.map(({ stepType }) => stepType).toSorted((left, right) => (left.type < right.type ? -1 : 1));
  return { get: (type) => byName.get(type)?.stepType, list: () => [...all] };
}

async function stepFiles(folder: string): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => STEP_FILE.test(name))
      .toSorted()
      .map((name) => path.join(folder, name));
  } catch (cause) {
    throw new SignalboxError("INVALID_INPUT", `The folder of step types ${folder} cannot be read.`, { details: { folder }, cause });
  }
}

async function typesIn(file: string): Promise<{ stepType: StepType; file: string }[]> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    throw unusable(file, `cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  // One type may be exported twice, by name and as default.
  const stepTypes = [...new Set(Object.values(exported).filter(isStepType))];
  if (stepTypes.length === 0)
    throw unusable(file, "exports no step type; export one made by defineStep({ type, title, group, config, run, ... })");
  return stepTypes.map((stepType) => ({ stepType, file }));
}

function isStepType(value: unknown): value is StepType {
  if (typeof value !== "object" || value === null) return false;
  const { type, title, group, config, run } = value as Partial<StepType>;
  return (
    typeof type === "string" &&
    typeof title === "string" &&
    typeof group === "string" &&
    typeof run === "function" &&
    typeof (config as { safeParse?: unknown } | undefined)?.safeParse === "function"
  );
}

function unusable(file: string, problem: string, cause?: unknown): SignalboxError {
  return new SignalboxError("INVALID_INPUT", `The step type file ${file} ${problem}.`, { details: { file }, cause });
}
