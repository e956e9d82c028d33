import type { Decision, DecisionAttempt, DecisionSource } from "../definition/decision.ts";
import type { Json } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import { decisionPrompt, type DecisionOption } from "./decision-prompt.ts";
import { storable } from "./decision-record.ts";
import { inquire, type Inquiry, type InquiryOptions, type Refusal } from "./inquiry.ts";

/** What happens when no model gave an allowed answer. */
export type Recourse = "fallback" | "human" | "fail";

export interface DecisionRequest extends InquiryOptions {
  place: { id: string; executionId: string; workflowId: string; workflowVersion: number; stepId: string; visit: number };
  instruction: string;
  criteria: readonly string[];
  examples: readonly { given: Json; choose: string; why?: string | undefined }[];
  /** Every option of the step; `verdict` says why it may or may not be chosen now. */
  options: readonly (DecisionOption & { isAllowed: boolean; verdict: string })[];
  /** The choice of the first deterministic rule that is true now, in order. */
  rules: readonly { choose: string; why: string; isTrue: () => boolean }[];
  /** Step id taken when the recourse is `fallback`. */
  fallback: string | undefined;
  state: Json;
  onLowConfidence: Recourse;
  onViolation: Recourse;
}

/** The record to store, and the error to throw after it where nothing was chosen and nobody is to be asked. */
export interface DecisionResult {
  decision: Decision;
  /** Every call whose answer was not taken, in order. */
  refusals: Refusal[];
  failure: SignalboxError | null;
}

/**
 * Decides: rules, then the only option, then models in order, each answer judged by code, one repair in all, at most three calls
 * within `timeoutMs`; then what the policy says. Nothing a model writes can lead to a step or an event that is not allowed.
 * `source: "human"` with `selected: null` asks for a person. Throws NO_ROUTE without a call where nothing is allowed, what a rule
 * throws, and the signal's reason.
 */
export async function decide(request: DecisionRequest): Promise<DecisionResult> {
  const startedAt = request.now();
  const allowed = request.options.filter(({ isAllowed }) => isAllowed);
  const [first, second] = allowed;
  if (!first) {
    const details = { options: request.options.map(({ id, verdict }) => ({ id, verdict })) };
    throw new SignalboxError("NO_ROUTE", `Decision "${request.place.stepId}" has no option that is allowed now.`, { details });
  }
  const record = (source: DecisionSource, selected: string | null, parts: Partial<Decision>): Decision =>
    storable({ ...blankRecord(request, startedAt), source, selected, ...parts });

  const { rule, guardrails } = firstRule(request, allowed);
  const uncalled = { refusals: [], failure: null };
  if (rule) return { ...uncalled, decision: record("rule", rule.choose, { rationale: rule.why, confidence: 1, guardrails }) };
  if (!second)
    return {
      ...uncalled,
      decision: record("only_option", first.id, { rationale: "The only option that is open.", confidence: 1, guardrails }),
    };

  const prompt = decisionPrompt({
    ...request,
    decisionId: request.place.id,
    options: allowed,
    otherwise: request.fallback,
    events: request.allowedEvents,
  });
  const inquiry = await inquire(request, prompt, startedAt);
  const parts: Partial<Decision> = {
    promptDigest: prompt.digest,
    model: inquiry.model,
    offline: inquiry.isOffline,
    attempts: inquiry.attempts,
    guardrails: [...guardrails, ...inquiry.guardrails],
    events: inquiry.events,
    ...usageOf(inquiry.attempts),
  };
  if (inquiry.answer) {
    const { selected, confidence, rationale } = inquiry.answer;
    return { decision: record("model", selected, { ...parts, confidence, rationale }), refusals: inquiry.refusals, failure: null };
  }
  return withRecourse(request, inquiry, (source, selected, rationale) => record(source, selected, { ...parts, rationale }));
}

function firstRule({ rules }: DecisionRequest, allowed: readonly DecisionOption[]) {
  const guardrails: Decision["guardrails"] = [];
  for (const rule of rules) {
    if (!rule.isTrue()) continue;
    if (allowed.some(({ id }) => id === rule.choose)) return { rule, guardrails };
    guardrails.push({ rule: "rule", verdict: "not_allowed", value: rule.choose });
  }
  return { rule: undefined, guardrails };
}

function usageOf(attempts: readonly DecisionAttempt[]): Pick<Decision, "tokensIn" | "tokensOut" | "costUsd"> {
  const sum = (of: (attempt: DecisionAttempt) => number) => attempts.reduce((total, attempt) => total + of(attempt), 0);
  return {
    tokensIn: sum(({ tokensIn }) => tokensIn),
    tokensOut: sum(({ tokensOut }) => tokensOut),
    costUsd: sum(({ costUsd }) => costUsd),
  };
}

/** No answer held: the policy's recourse. */
function withRecourse(
  request: DecisionRequest,
  inquiry: Inquiry,
  record: (source: DecisionSource, selected: string | null, rationale: string) => Decision,
): DecisionResult {
  const last = inquiry.attempts.at(-1);
  const reason = last?.error ?? "There was no time left to ask a model.";
  const recourse = last?.outcome === "low_confidence" ? request.onLowConfidence : request.onViolation;
  const fallback = request.options.find(({ id, isAllowed }) => id === request.fallback && isAllowed);
  const { refusals } = inquiry;
  if (recourse === "human") return { decision: record("human", null, `A person is asked: ${reason}`), refusals, failure: null };
  if (recourse === "fallback" && fallback)
    return { decision: record("fallback", fallback.id, `Fallback: ${reason}`), refusals, failure: null };
  const decision = record("none", null, `Nothing was chosen: ${reason}`);
  // Passing trouble keeps its own, retryable error, so that the step's retry policy applies.
  const failure =
    inquiry.thrown ??
    new SignalboxError("DECISION_FAILED", `Decision "${request.place.stepId}" failed: ${reason}`, {
      details: { decisionId: request.place.id, outcome: last?.outcome ?? "timeout" },
    });
  return { decision, refusals, failure };
}

function blankRecord(request: DecisionRequest, startedAt: number): Decision {
  const { place, options, state } = request;
  const endedAt = request.now();
  return {
    ...place,
    at: new Date(endedAt).toISOString(),
    source: "none",
    selected: null,
    candidates: options.map(({ id, label, description, isAllowed, verdict }) => ({
      id,
      description: description ?? label ?? "",
      allowed: isAllowed,
      verdict,
    })),
    confidence: null,
    rationale: "",
    offline: false,
    model: null,
    promptDigest: null,
    attempts: [],
    guardrails: [],
    events: [],
    latencyMs: endedAt - startedAt,
    tokensIn: 0,
    tokensOut: 0,
    costUsd: 0,
    answeredBy: null,
    state,
  };
}
