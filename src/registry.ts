import { readdir } from "node:fs/promises";
import path from "node:path";
import { pathToFileURL } from "node:url";
import type { StructuredToolInterface } from "@langchain/core/tools";
import { ACTION_NAME, type Action, type Actions } from "./actions/action.ts";
import { SignalboxError } from "./errors.ts";
import type { Tool } from "./tools/tool.ts";
import { createTools } from "./tools/tools.ts";
import type { StepServices, StepType, UnboundStep } from "./steps/step.ts";

const STEP_FILE = /\.step\.(ts|js|mjs)$/;
const ACTION_FILE = /\.action\.(ts|js|mjs)$/;
const TOOL_FILE = /\.tool\.(ts|js|mjs)$/;
const OWN_STEPS = path.join(import.meta.dirname, "steps");
const OWN_ACTIONS = path.join(import.meta.dirname, "actions");

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
export async function loadStepTypes(options: { folder?: string | undefined; services?: StepServices } = {}): Promise<StepTypes> {
  const services = options.services ?? (await builtInServices(options));
  const found = await loadFiles({
    folders: [OWN_STEPS, ...(options.folder === undefined ? [] : [path.resolve(options.folder)])],
    pattern: STEP_FILE,
    isOne: isStep,
    what: "step type",
    how: "defineStep({ type, title, group, config, run, ... })",
  });
  return createStepTypes(found.map(({ value, file }) => ({ stepType: "bind" in value ? value.bind(services) : value, file })));
}

/** Actions and tools without any server: what a definition can be checked with. */
async function builtInServices(options: { folder?: string | undefined }): Promise<StepServices> {
  const actions = await loadActions(options);
  return { actions, tools: createTools({ actions, own: await loadTools(options) }) };
}

/** Loads every `*.tool.ts` of the operators' own folder: tools of LangChain, as its `tool()` makes them. */
export async function loadTools(options: { folder?: string | undefined } = {}): Promise<Tool[]> {
  if (options.folder === undefined) return [];
  const found = await loadFiles({
    folders: [path.resolve(options.folder)],
    pattern: TOOL_FILE,
    isOne: isTool,
    what: "tool",
    how: "tool() of @langchain/core/tools",
  });
  const { fromLangChain } = await import("./tools/langchain-tool.ts");
  return found.map(({ value }) => fromLangChain(value));
}

/** Loads every `*.action.ts` of the service and of the operators' own folder, with the same care. */
export async function loadActions(options: { folder?: string | undefined } = {}): Promise<Actions> {
  const found = await loadFiles({
    folders: [OWN_ACTIONS, ...(options.folder === undefined ? [] : [path.resolve(options.folder)])],
    pattern: ACTION_FILE,
    isOne: isAction,
    what: "action",
    how: "defineAction({ name, title, description, input, effect, run })",
  });
  const byName = new Map<string, { value: Action; file: string }>();
  for (const entry of found) {
    const { name } = entry.value;
    const other = byName.get(name);
    if (other) throw unusable(entry.file, "action", `takes the name "${name}", which ${other.file} has`);
    if (!ACTION_NAME.test(name)) throw unusable(entry.file, "action", `has the name "${name}"; write words joined by dots`);
    byName.set(name, entry);
  }
  const all = found.map(({ value }) => value).toSorted((left, right) => (left.name < right.name ? -1 : 1));
  return { get: (name) => byName.get(name)?.value, list: () => [...all] };
}

/** A registry of the given step types; `file` is what a clash of names is reported with. */
export function createStepTypes(found: readonly { stepType: StepType; file: string }[]): StepTypes {
  const byName = new Map<string, { stepType: StepType; file: string }>();
  for (const entry of found) {
    for (const name of [entry.stepType.type, ...(entry.stepType.aliases ?? [])]) {
      const other = byName.get(name);
      if (other) throw unusable(entry.file, "step type", `takes the name "${name}", which ${other.file} has`);
      byName.set(name, entry);
    }
  }
  const all = found.map(({ stepType }) => stepType).toSorted((left, right) => (left.type < right.type ? -1 : 1));
  return { get: (type) => byName.get(type)?.stepType, list: () => [...all] };
}

export interface FileKind<T> {
  folders: readonly string[];
  /** Names of the files that are looked at. */
  pattern: RegExp;
  isOne(value: unknown): value is T;
  /** What is looked for, in words: "step type". */
  what: string;
  /** How one is made, for whoever wrote a file without any. */
  how: string;
}

/**
 * What the files of some folders export, in order of folders and names. INVALID_INPUT names a folder that cannot be read, a file that
 * cannot be loaded and a file that exports nothing of the kind.
 */
export async function loadFiles<T>(kind: FileKind<T>): Promise<{ value: T; file: string }[]> {
  const found: { value: T; file: string }[] = [];
  for (const folder of kind.folders) {
    for (const file of await filesIn(folder, kind)) {
      for (const value of await exportsOf(file, kind)) found.push({ value, file });
    }
  }
  return found;
}

async function filesIn<T>(folder: string, { pattern, what }: FileKind<T>): Promise<string[]> {
  try {
    const names = await readdir(folder);
    return names
      .filter((name) => pattern.test(name))
      .toSorted()
      .map((name) => path.join(folder, name));
  } catch (cause) {
    throw new SignalboxError("INVALID_INPUT", `The folder of ${what}s ${folder} cannot be read.`, { details: { folder }, cause });
  }
}

async function exportsOf<T>(file: string, { isOne, what, how }: FileKind<T>): Promise<T[]> {
  let exported: Record<string, unknown>;
  try {
    exported = (await import(pathToFileURL(file).href)) as Record<string, unknown>;
  } catch (cause) {
    throw unusable(file, what, `cannot be loaded: ${cause instanceof Error ? cause.message : String(cause)}`, cause);
  }
  // One type may be exported twice, by name and as default.
  const values = [...new Set(Object.values(exported).filter(isOne))];
  if (values.length === 0) throw unusable(file, what, `exports no ${what}; export one made by ${how}`);
  return values;
}

function isStep(value: unknown): value is StepType | UnboundStep {
  const isUnbound = typeof value === "object" && value !== null && typeof (value as Partial<UnboundStep>).bind === "function";
  return isUnbound || isStepType(value);
}

function isTool(value: unknown): value is StructuredToolInterface {
  if (typeof value !== "object" || value === null) return false;
  const { name, description, schema, invoke } = value as Partial<StructuredToolInterface>;
  return typeof name === "string" && typeof description === "string" && typeof schema === "object" && typeof invoke === "function";
}

function isAction(value: unknown): value is Action {
  if (typeof value !== "object" || value === null) return false;
  const { name, title, effect, input, run } = value as Partial<Action>;
  const isComplete = typeof name === "string" && typeof title === "string" && typeof effect === "string" && typeof run === "function";
  return isComplete && typeof (input as { safeParse?: unknown } | undefined)?.safeParse === "function";
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

/** The error that names a file of definitions and what is wrong with it. */
export function unusable(file: string, what: string, problem: string, cause?: unknown): SignalboxError {
  return new SignalboxError("INVALID_INPUT", `The ${what} file ${file} ${problem}.`, { details: { file }, cause });
}
