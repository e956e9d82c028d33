import type { z } from "zod";
import type { Issue } from "../../errors.ts";
import { pointerTo } from "../pointer.ts";
import type { ErrorPolicy, NextStep, Step } from "../step.ts";
import type { WorkflowDefinition } from "../workflow.ts";
import { configStrings, type ConfigString } from "./config-strings.ts";
import type { CatalogType, Region, StepCatalog } from "./step-catalog.ts";
import { issuesOfZod } from "./zod-issues.ts";

/** A way out of a step with its place in the definition; `isImplied` where the config says it, not `nextSteps`. */
export interface Way {
  next: NextStep;
  pointer: string;
  isImplied: boolean;
}

/** A step as every rule looks at it: type found, config parsed, ways collected. */
export interface OutlinedStep {
  step: Step;
  /** `/steps/3` */
  pointer: string;
  type: CatalogType | undefined;
  strings: ConfigString[];
  ways: Way[];
  regions: OutlinedRegion[];
}

/** Lanes of a loop are one region to a reader, and so are branches with one start: the same steps, several times at once. */
export interface OutlinedRegion extends Region {
  copies: number;
}

/** What all rules share, made once per check. */
export interface Outline {
  definition: WorkflowDefinition;
  catalog: StepCatalog;
  steps: OutlinedStep[];
  /** The first step of each id. */
  byId: ReadonlyMap<string, OutlinedStep>;
  start: OutlinedStep | undefined;
  /** Problems met while the outline was made: configs that do not fit their type. */
  issues: Issue[];
}

/** Reads a definition against the step types. */
export function outlineDefinition(definition: WorkflowDefinition, catalog: StepCatalog): Outline {
  const issues: Issue[] = [];
  const steps = definition.steps.map((step, index) => outlineStep(step, pointerTo("/steps", index), catalog, issues));
  const byId = new Map<string, OutlinedStep>();
  for (const outlined of steps) if (!byId.has(outlined.step.id)) byId.set(outlined.step.id, outlined);
  const start = steps.find(({ type }) => type?.type === "start") ?? steps[0];
  return { definition, catalog, steps, byId, start, issues };
}

function outlineStep(step: Step, pointer: string, catalog: StepCatalog, issues: Issue[]): OutlinedStep {
  const type = catalog.get(step.type);
  const own = step.nextSteps.map((next, index): Way => ({ next, pointer: pointerTo(pointer, "nextSteps", index), isImplied: false }));
  if (!type) return { step, pointer, type, strings: [], ways: own, regions: [] };
  const configPointer = pointerTo(pointer, "config");
  const strings = configStrings(type, step.config);
  const templates = strings
    .filter(({ kind, text }) => kind === "template" && text.includes("${"))
    .map((found) => configPointer + found.pointer);
  const parsed = type.config.safeParse(step.config);
  if (!parsed.success) {
    issues.push(...configIssues(type, parsed.error, configPointer, templates));
  }
  const config: unknown = parsed.success ? parsed.data : step.config;
  const implied = asked(() => type.routes?.(config)) ?? [];
  const ways = implied.map((next): Way => ({ next, pointer: pointerOfText(strings, next.to, configPointer), isImplied: true }));
  const regions = distinct(asked(() => type.regions?.(config)) ?? []);
  if (parsed.success) issues.push(...checkedByType(type, config, step, pointer));
  return { step, pointer, type, strings, ways: [...ways, ...own], regions };
}

/**
 * What the schema has against a config, without what it says about strings with `${ }`: those may stand for a value of any type,
 * and the evaluated config is parsed again at run time.
 */
function configIssues(type: CatalogType, error: z.core.$ZodError, pointer: string, templates: readonly string[]): Issue[] {
  const isExcused = (at: string): boolean => templates.some((template) => at === template || at.startsWith(`${template}/`));
  const remaining = error.issues.filter((issue) => !isExcusedIssue(issue, pointer, isExcused));
  const issues = issuesOfZod({ issues: remaining }, pointer, { code: "INVALID_CONFIG", schema: type.config });
  return issues.filter((issue) => !isExcused(issue.pointer));
}

/** A union is excused where one of its alternatives has nothing against it but such strings. */
function isExcusedIssue(issue: z.core.$ZodIssue, parent: string, isExcused: (pointer: string) => boolean): boolean {
  const pointer = pointerTo(parent, ...issue.path);
  if (isExcused(pointer)) return true;
  return (
    issue.code === "invalid_union" && issue.errors.some((issues) => issues.every((inner) => isExcusedIssue(inner, pointer, isExcused)))
  );
}

function checkedByType(type: CatalogType, config: unknown, step: Step, pointer: string): Issue[] {
  const issues = asked(() => type.check?.(config, step)) ?? [];
  return issues.map((issue) => ({ ...issue, pointer: pointer + issue.pointer }));
}

/** Types are asked about configs that do not fit their schema too; one that stumbles over them has no answer. */
function asked<T>(question: () => T): T | undefined {
  try {
    return question();
  } catch {
    return undefined;
  }
}

/** Where a step id stands in the config; the config itself where it is not written out. */
export function pointerOfText(strings: readonly ConfigString[], text: string, configPointer: string): string {
  const found = strings.find((candidate) => candidate.text === text);
  return found ? configPointer + found.pointer : configPointer;
}

/** Where an error policy leads; undefined where it leads nowhere. */
export function handlerOf({ onError }: { onError?: ErrorPolicy | undefined }): string | undefined {
  return onError?.action === "goto" ? onError.goto : undefined;
}

function distinct(regions: Region[]): OutlinedRegion[] {
  const found = new Map<string, OutlinedRegion>();
  for (const region of regions) {
    const key = `${region.start} ${region.end ?? ""}`;
    found.set(key, { ...region, copies: (found.get(key)?.copies ?? 0) + 1 });
  }
  return [...found.values()];
}
