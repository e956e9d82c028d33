import { durationMs } from "../definition/duration.ts";
import { parseExpression, type Expression } from "../definition/expression.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { NextStep, Step } from "../definition/step.ts";
import { parseTemplate, type Template } from "../definition/template.ts";
import type { WorkflowDefinition } from "../definition/workflow.ts";
import { SignalboxError } from "../errors.ts";
import type { StepTypes } from "../registry.ts";
import type { StepType } from "../steps/step.ts";

/** A way out with its condition parsed. */
export interface PlannedRoute {
  next: NextStep;
  when: Expression | undefined;
}

export interface PlannedRegion {
  name: string;
  index: number;
  start: string;
  end: string | null;
  /** Name of its node in the graph around it. */
  node: string;
}

/** A step with everything parsed that can be parsed before an execution exists. */
export interface StepPlan {
  step: Step;
  type: StepType;
  /** Template of the config without its bare expressions and literals. */
  config: Template;
  /** Config fields kept as written: bare CEL and literals. */
  fixedConfig: JsonObject;
  input: Template | undefined;
  output: [variable: string, template: Template][];
  conditions: Expression[];
  routes: PlannedRoute[];
  timeoutMs: number | undefined;
  /** Regions the step splits into; each is a node around a subgraph of its own. */
  regions: PlannedRegion[];
  /** The node where they come together. */
  gatherNode: string;
  /** Steps whose outputs any expression of this step reads: only these enter its scope. */
  reads: ReadonlySet<string>;
}

/** A definition, ready to be compiled: parsed once per version. */
export interface WorkflowPlan {
  definition: WorkflowDefinition;
  start: string;
  steps: ReadonlyMap<string, StepPlan>;
  output: [name: string, template: Template][];
  outputReads: ReadonlySet<string>;
}

/** Parses a checked definition. Throws INVALID_DEFINITION where the checker was not asked first. */
export function planWorkflow(definition: WorkflowDefinition, stepTypes: StepTypes): WorkflowPlan {
  const stepIds = definition.steps.map(({ id }) => id);
  const steps = new Map(definition.steps.map((step) => [step.id, planStep(step, stepTypes, stepIds)]));
  const output = Object.entries(definition.output ?? {}).map(([name, value]): [string, Template] => [name, parseTemplate(value)]);
  const outputReads = new Set(output.flatMap(([, template]) => template.expressions.flatMap((expression) => [...expression.stepIds])));
  const start = definition.steps.find((step) => stepTypes.get(step.type)?.type === "start") ?? definition.steps[0];
  if (!start) throw new SignalboxError("INVALID_DEFINITION", "A workflow needs at least one step.");
  return { definition, start: start.id, steps, output, outputReads };
}

function planStep(step: Step, stepTypes: StepTypes, stepIds: readonly string[]): StepPlan {
  const type = stepTypes.get(step.type);
  if (!type) throw new SignalboxError("INVALID_DEFINITION", `Step "${step.id}" has the unknown type "${step.type}".`);
  const { fixed, template } = splitConfig(type, step.config);
  const config = parseTemplate(template);
  const input = step.input ? parseTemplate(step.input) : undefined;
  const output = Object.entries(step.output ?? {}).map(([name, value]): [string, Template] => [name, parseTemplate(value)]);
  const conditions = (step.conditions ?? []).map(parseExpression);
  const routes = [...(type.routes?.(step.config) ?? []), ...step.nextSteps].map((next) => ({
    next,
    when: next.when === undefined ? undefined : parseExpression(next.when),
  }));
  const expressions = [
    ...config.expressions,
    ...(input?.expressions ?? []),
    ...output.flatMap(([, value]) => value.expressions),
    ...conditions,
    ...routes.flatMap(({ when }) => (when ? [when] : [])),
    ...bareExpressions(type, step.config),
  ];
  return {
    step,
    type,
    config,
    fixedConfig: fixed,
    input,
    output,
    conditions,
    routes,
    regions: (type.regions?.(step.config) ?? []).map((region, index) => ({ ...region, index, node: `${step.id}/${region.name}` })),
    gatherNode: `${step.id}/=`,
    timeoutMs: step.timeout === undefined ? undefined : durationMs(step.timeout),
    reads: new Set(type.readsAllSteps ? stepIds : expressions.flatMap((expression) => [...expression.stepIds])),
  };
}

/**
 * Splits off the top-level config fields that must reach the step as written: bare CEL is evaluated by the step itself, with names
 * (`output`, `item`) that do not exist yet, and literals hold `${` of somebody else.
 */
function splitConfig(type: StepType, config: JsonObject): { fixed: JsonObject; template: JsonObject } {
  const kept = new Set([...(type.expressions ?? []), ...(type.literal ?? [])].map((pointer) => pointer.split("/")[1]));
  const entries = Object.entries(config);
  return {
    fixed: Object.fromEntries(entries.filter(([name]) => kept.has(name))),
    template: Object.fromEntries(entries.filter(([name]) => !kept.has(name))),
  };
}

function bareExpressions(type: StepType, config: JsonObject): Expression[] {
  return (type.expressions ?? [])
    .flatMap((pointer) => select(config, pointer.split("/").slice(1)))
    .flatMap((value) => (typeof value === "string" ? [parseExpression(value)] : []));
}

function select(value: Json | undefined, path: string[]): Json[] {
  const [head, ...rest] = path;
  if (value === undefined) return [];
  if (head === undefined) return [value];
  if (head === "*") return Object.values(value ?? {}).flatMap((item: Json) => select(item, rest));
  return value !== null && typeof value === "object" && !Array.isArray(value) ? select(value[head], rest) : [];
}
