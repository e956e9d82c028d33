import { z } from "zod";
import { decide, type DecisionRequest } from "../ai/decision-maker.ts";
import { decisionIdOf } from "../ai/decision-record.ts";
import { ModelReference } from "../ai/model-reference.ts";
import { narrowPolicy, type Bounds } from "../ai/policy.ts";
import type { Decision } from "../definition/decision.ts";
import { Duration, durationMs } from "../definition/duration.ts";
import { JsonRecord, JsonValue, type Json, type JsonObject } from "../definition/json.ts";
import { Cel, StepId, type NextStep, type Step } from "../definition/step.ts";
import { Policy } from "../definition/workflow.ts";
import { SignalboxError, type Issue } from "../errors.ts";
import { defineStep, type StepContext, type StepResult } from "./step.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
const Recourse = z.enum(["fallback", "human", "fail"]);

const Config = z.strictObject({
  model: ModelReference.default("default").describe("`provider:model`, or `default`"),
  models: z.array(ModelReference).min(1).max(3).optional().describe("Asked in order instead of `model`"),
  instruction: z.string().min(1).max(8_000).default("Choose the option that fits the case best."),
  criteria: z.array(z.string().min(1).max(2_000)).max(50).default([]),
  examples: z
    .array(z.strictObject({ given: JsonValue, choose: StepId, why: z.string().max(1_000).optional() }))
    .max(50)
    .default([]),
  rules: z
    .array(z.strictObject({ when: Cel, choose: StepId, why: z.string().max(1_000).optional() }))
    .max(50)
    .default([])
    .describe("Read in order before any model is asked; the first that is true decides"),
  fallback: StepId.optional().describe("Option taken when no model gave an allowed answer"),
  inputs: z
    .union([
      z
        .array(z.string().regex(/^(input|vars)(\.[A-Za-z_][A-Za-z0-9_]*)*$/, "must be input, vars or a field of them, such as vars.ticket"))
        .min(1)
        .max(50),
      JsonRecord,
    ])
    .optional()
    .describe("What the model sees: names, or an object whose texts may hold ${ cel }; the whole state unless told"),
  policy: Policy.omit({ allowedTools: true })
    .extend({ allowDirectEmit: z.literal(false).optional().describe("Events are proposals: they are recorded, nothing is sent") })
    .optional()
    .describe("Narrows the workflow's policy"),
  minConfidence: z.number().min(0).max(1).optional(),
  onLowConfidence: Recourse.optional(),
  onViolation: Recourse.optional(),
  timeout: Duration.optional().describe("For all model calls together; 30s unless told"),
});
type DecisionConfig = z.infer<typeof Config>;

export default defineStep({
  type: "decision",
  aliases: ["ai_decision"],
  title: "AI decision",
  description:
    "A model chooses among the next steps that are open now and allowed by the policy. Every choice is recorded before it takes effect.",
  group: "AI",
  readsAllSteps: true,
  config: Config,
  expressions: ["/rules/*/when"],
  check: checkDecision,

  async run(context) {
    // Asked once per visit, whatever crashed since.
    const recorded = await context.decisions.recorded();
    return outcomeOf(context, recorded ?? (await ask(context)));
  },

  async resume(context, answer) {
    if (answer.by === "due") throw new SignalboxError("WAIT_EXPIRED", `Nobody decided "${context.step.id}" in time.`);
    if (answer.by === "cancelled") throw new SignalboxError("CANCELLED", `The question of "${context.step.id}" was withdrawn.`);
    const recorded = await context.decisions.recorded();
    if (!recorded) return outcomeOf(context, await ask(context));
    const { decision: chosen, reason } = answer.data;
    // Options are looked at again: what was open and allowed when the question was asked may not be now.
    if (typeof chosen !== "string" || !optionsOf(context).some(({ id, isAllowed }) => id === chosen && isAllowed))
      return outcomeOf(context, recorded);
    const decision: Decision = {
      ...recorded,
      id: `${recorded.id}.human`,
      at: new Date(context.now()).toISOString(),
      source: "human",
      selected: chosen,
      confidence: null,
      rationale: typeof reason === "string" ? reason.slice(0, 1_000) : "",
      answeredBy: answer.principal,
      model: null,
      offline: false,
      // They were paid for, and are told, by the record of the question.
      attempts: [],
      tokensIn: 0,
      tokensOut: 0,
      costUsd: 0,
    };
    await context.decisions.record(decision);
    return outcomeOf(context, decision);
  },
});

async function ask(context: StepContext<DecisionConfig>): Promise<Decision> {
  const { decision, refusals, failure } = await decide(requestOf(context));
  for (const { model, error, ...refusal } of refusals) {
    const summary = `${context.step.name}: the answer of ${model} was not taken. ${error}`.slice(0, 400);
    context.event({ type: "decision.guarded", summary, data: { decisionId: decision.id, model, error, ...refusal } });
  }
  // A failure is no choice: under an id of its own it does not keep a later retry from asking again.
  await context.decisions.record(failure ? { ...decision, id: `${decision.id}.failed-${context.attempt}` } : decision);
  if (failure) throw failure;
  return decision;
}

function requestOf(context: StepContext<DecisionConfig>): DecisionRequest {
  const { config, step, executionId, workflowId, workflowVersion, visit } = context;
  const policy = policyOf(context);
  const recourse = config.fallback === undefined ? "fail" : "fallback";
  return {
    ...config,
    place: { id: decisionIdOf(context.idempotencyKey), executionId, workflowId, workflowVersion, stepId: step.id, visit },
    options: optionsOf(context),
    rules: config.rules.map(({ when, choose, why }) => ({ choose, why: why ?? `Rule: ${when}`, isTrue: () => isTrue(context, when) })),
    fallback: config.fallback,
    state: visibleState(context),
    models: config.models ?? [config.model],
    allowedModels: policy.allowedModels,
    allowedEvents: policy.allowedEvents ?? [],
    minConfidence: policy.minConfidence ?? 0,
    onLowConfidence: policy.onLowConfidence ?? recourse,
    onViolation: policy.onViolation ?? recourse,
    timeoutMs: durationMs(config.timeout ?? "") ?? DEFAULT_TIMEOUT_MS,
    signal: context.signal,
    now: () => context.now(),
    complete: (request) => context.models.complete(request),
  };
}

function policyOf({ config, policy }: StepContext<DecisionConfig>): Bounds {
  const { minConfidence, onLowConfidence, onViolation } = config;
  return narrowPolicy(policy, narrowPolicy(config.policy, { minConfidence, onLowConfidence, onViolation }));
}

/** The step's ways out in their order, each with whether it may be chosen now and why. */
function optionsOf(context: StepContext<DecisionConfig>): DecisionRequest["options"] {
  const { open, closed } = context.routes("success");
  const { allowedNextSteps } = policyOf(context);
  const reasonOf = new Map(closed.map(({ next, reason }) => [next.to, reason]));
  const isOpen = new Set(open.map(({ to }) => to));
  return successRoutes(context.step).map(({ to, label, description }) => {
    const isListed = !allowedNextSteps || allowedNextSteps.includes(to);
    const verdict = !isOpen.has(to) ? (reasonOf.get(to) ?? "condition is false") : isListed ? "allowed" : "not in the policy";
    return { id: to, label, description, isAllowed: isOpen.has(to) && isListed, verdict };
  });
}

function successRoutes({ nextSteps }: Step): NextStep[] {
  return nextSteps.filter(({ on }) => on === undefined || on === "success");
}

function isTrue(context: StepContext<DecisionConfig>, when: string): boolean {
  const value = context.evaluate(when);
  if (typeof value === "boolean") return value;
  throw new SignalboxError("EXPRESSION_FAILED", `The rule "${when}" gives no boolean.`, { details: { expression: when } });
}

function visibleState(context: StepContext<DecisionConfig>): Json {
  const { inputs } = context.config;
  if (!Array.isArray(inputs)) return inputs ?? context.state();
  const whole = context.state();
  const named = inputs.map((name): [string, Json] => [name, name.split(".").reduce<Json>((at, key) => fieldOf(at, key), whole)]);
  return Object.fromEntries(named);
}

function fieldOf(value: Json, key: string): Json {
  return typeof value === "object" && value !== null && !Array.isArray(value) && Object.hasOwn(value, key) ? (value[key] ?? null) : null;
}

/** What a record leads to: the step chosen, or the question to a person. */
function outcomeOf(context: StepContext<DecisionConfig>, decision: Decision): StepResult {
  const { selected, confidence, rationale, source, model, offline } = decision;
  if (selected !== null) return { kind: "done", output: { selected, confidence, rationale, source, model, offline }, goto: selected };
  const choices = decision.candidates.filter(({ allowed }) => allowed).map(({ id }) => id);
  const evidence: JsonObject = {
    reason: rationale,
    state: decision.state,
    options: decision.candidates.filter(({ allowed }) => allowed).map(({ id, description }) => ({ id, description })),
    attempts: decision.attempts.map((attempt) => ({ model: attempt.model, outcome: attempt.outcome, error: attempt.error })),
  };
  const request: JsonObject = {
    kind: "decision",
    decisionId: decision.id,
    description: context.config.instruction,
    assignees: [],
    form: null,
    choices,
    evidence,
  };
  return {
    kind: "wait",
    wait: { kind: "approval", dueAt: null, state: { decisionId: decision.id }, open: { title: `Decide: ${context.step.name}`, request } },
  };
}

/** What the general checker cannot know: options that read alike, and the options that rules, examples and policy name. */
function checkDecision(config: DecisionConfig, step: Step): Issue[] {
  const issues: Issue[] = [];
  const options = new Map<string, string>();
  for (const [index, { to, on }] of step.nextSteps.entries()) {
    if (on !== undefined && on !== "success") continue;
    const other = options.get(to.normalize("NFKC"));
    const message = `"${to}" and "${other}" are one option to a reader.`;
    if (other !== undefined)
      issues.push({
        code: "DUPLICATE_OPTION",
        pointer: `/nextSteps/${index}/to`,
        message,
        hint: "Join their conditions with || in one entry.",
      });
    options.set(to.normalize("NFKC"), to);
  }
  const known = [...options.values()];
  const mustBeOption = (id: string, pointer: string) => {
    if (!known.includes(id))
      issues.push({ code: "UNKNOWN_TARGET", pointer, message: `"${id}" is none of this step's options: ${known.join(", ")}.` });
  };
  config.rules.forEach(({ choose }, index) => mustBeOption(choose, `/config/rules/${index}/choose`));
  config.examples.forEach(({ choose }, index) => mustBeOption(choose, `/config/examples/${index}/choose`));
  config.policy?.allowedNextSteps?.forEach((id, index) => mustBeOption(id, `/config/policy/allowedNextSteps/${index}`));
  const counting = (["onLowConfidence", "onViolation"] as const).find((field) => config[field] === "fallback");
  if (counting && config.fallback === undefined) {
    const message = `${counting} is "fallback", but the decision "${step.id}" has none.`;
    issues.push({
      code: "DECISION_WITHOUT_FALLBACK",
      pointer: "/config",
      message,
      hint: `Set config.fallback to one of ${known.join(", ")}.`,
    });
  }
  return issues;
}
