import type { Decision, DecisionAttempt, DecisionSource } from "../definition/decision.ts";
import type { Json } from "../definition/json.ts";
import { SignalboxError, toSignalboxError } from "../errors.ts";
import { guardAnswer, type GuardedAnswer, type RefusedAnswer } from "./decision-guard.ts";
import { decisionPrompt, repairMessages, type DecisionOption, type DecisionPrompt } from "./decision-prompt.ts";
import { storable } from "./decision-record.ts";
import { isPassing } from "./failure.ts";
import type { ModelCalls, ModelReply } from "./model-call.ts";

const MAX_ATTEMPTS = 3;
/** Before a second call of a provider that failed without saying when to come back. */
const RETRY_DELAY_MS = 500;
/** A retry that leaves less than this for the answer is not worth its wait. */
const LEAST_ANSWER_MS = 500;

/** What happens when no model gave an allowed answer. */
export type Recourse = "fallback" | "human" | "fail";

export interface DecisionRequest {
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
  /** Asked in order. */
  models: readonly string[];
  allowedModels: readonly string[] | undefined;
  /** Events the model may name; they are recorded as proposals. */
  allowedEvents: readonly string[];
  minConfidence: number;
  onLowConfidence: Recourse;
  onViolation: Recourse;
  /** For all calls together. */
  timeoutMs: number;
  signal: AbortSignal;
  now(): number;
  complete: ModelCalls["complete"];
}

/** The record to store, and the error to throw after it where nothing was chosen and nobody is to be asked. */
export interface DecisionResult {
  decision: Decision;
  /** Every call whose answer was not taken, in order. */
  refusals: Refusal[];
  failure: SignalboxError | null;
}

export interface Refusal {
  /** Of the calls of this decision, from 1. */
  attempt: number;
  model: string;
  outcome: DecisionAttempt["outcome"];
  error: string;
  /** What the answer tried, where it said: an option, an event, a malformed value. */
  attempted: string | null;
}

/** How the models were done with. */
interface Inquiry {
  attempts: DecisionAttempt[];
  refusals: Refusal[];
  guardrails: Decision["guardrails"];
  events: Decision["events"];
  answer: GuardedAnswer | null;
  /** What the last call threw. */
  thrown: SignalboxError | null;
  model: string | null;
  isOffline: boolean;
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

/** Calls models until one answer holds or there is no further call to make. */
async function inquire(request: DecisionRequest, prompt: DecisionPrompt, startedAt: number): Promise<Inquiry> {
  const inquiry: Inquiry = {
    attempts: [],
    refusals: [],
    guardrails: [],
    events: [],
    answer: null,
    thrown: null,
    model: null,
    isOffline: false,
  };
  const deadline = startedAt + request.timeoutMs;
  let next: Next | null = { models: request.models, messages: prompt.messages, delayMs: 0 };
  let isRepaired = false;
  while (next && inquiry.attempts.length < MAX_ATTEMPTS && deadline > request.now()) {
    const [model = ""] = next.models;
    const calledAt = request.now();
    const reply = await call(request, prompt, next, deadline);
    if (reply instanceof SignalboxError) {
      inquiry.thrown = reply;
      note(inquiry, failedAttempt(model, reply, request.now() - calledAt), { rule: "answered", value: null });
      next = afterFailure(next, reply, prompt, deadline - request.now());
      continue;
    }
    const verdict = guardAnswer(reply, { options: prompt.options, events: request.allowedEvents, minConfidence: request.minConfidence });
    inquiry.thrown = null;
    inquiry.model = reply.model;
    inquiry.isOffline = reply.offline;
    if (verdict.event !== null)
      inquiry.events.push({ event: verdict.event, verdict: verdict.outcome === "accepted" ? "proposed" : "event_not_allowed" });
    if (verdict.outcome === "accepted") {
      inquiry.attempts.push(attemptOf(reply, verdict));
      inquiry.answer = verdict;
      return inquiry;
    }
    note(inquiry, attemptOf(reply, verdict), { rule: verdict.rule, value: verdict.attempted });
    const mayRepair: boolean = !isRepaired && (verdict.outcome === "invalid" || verdict.outcome === "not_allowed");
    if (verdict.outcome === "refused") next = null;
    else if (mayRepair) next = { ...next, messages: repairMessages(prompt, reply.text, verdict.message), delayMs: 0 };
    else next = nextModel(next, prompt);
    isRepaired ||= mayRepair;
  }
  return inquiry;
}

function note(inquiry: Inquiry, attempt: DecisionAttempt, { rule, value }: { rule: string; value: string | null }): void {
  inquiry.attempts.push(attempt);
  inquiry.guardrails.push({ rule, verdict: attempt.outcome, value });
  inquiry.refusals.push({
    attempt: inquiry.attempts.length,
    model: attempt.model,
    outcome: attempt.outcome,
    error: attempt.error ?? "",
    attempted: value,
  });
}

/** The call to make next; the first of `models` is asked. */
interface Next {
  models: readonly string[];
  messages: DecisionPrompt["messages"];
  delayMs: number;
}

async function call(request: DecisionRequest, prompt: DecisionPrompt, next: Next, deadline: number): Promise<ModelReply | SignalboxError> {
  const [model = ""] = next.models;
  try {
    return await request.complete({
      model,
      messages: next.messages,
      schema: prompt.schema,
      temperature: 0,
      signal: request.signal,
      // A model that hangs leaves their share of the time to those behind it.
      timeoutMs: Math.max(1, Math.floor((deadline - request.now()) / next.models.length)),
      delayMs: next.delayMs,
      allowedModels: request.allowedModels,
      offline: prompt.offline,
    });
  } catch (thrown) {
    const error = toSignalboxError(thrown);
    // Cancelled, out of the step's own time or without the lease: nothing may be decided any more.
    if (request.signal.aborted || error.code === "CANCELLED" || error.code === "LEASE_LOST") throw error;
    return error;
  }
}

function nextModel({ models }: Next, prompt: DecisionPrompt): Next | null {
  return models.length > 1 ? { models: models.slice(1), messages: prompt.messages, delayMs: 0 } : null;
}

/** Another model if there is one; else the same again, when it may be back in time. */
function afterFailure(next: Next, error: SignalboxError, prompt: DecisionPrompt, remainingMs: number): Next | null {
  if (next.models.length > 1) return nextModel(next, prompt);
  const { retryAfterMs } = error.details;
  const delayMs = typeof retryAfterMs === "number" ? retryAfterMs : RETRY_DELAY_MS;
  return isPassing(error) && delayMs + LEAST_ANSWER_MS <= remainingMs ? { ...next, delayMs } : null;
}

function attemptOf(reply: ModelReply, verdict: GuardedAnswer | RefusedAnswer): DecisionAttempt {
  const { model, latencyMs, tokensIn, tokensOut, costUsd } = reply;
  const raw = reply.text !== "" ? reply.text : (reply.refusal ?? "");
  const error = verdict.outcome === "accepted" ? null : verdict.message;
  return { model, outcome: verdict.outcome, raw, error, latencyMs, tokensIn, tokensOut, costUsd };
}

function failedAttempt(model: string, error: SignalboxError, latencyMs: number): DecisionAttempt {
  const kind = error.details["kind"];
  const outcome =
    kind === "timeout"
      ? "timeout"
      : kind === "content_filter"
        ? "refused"
        : kind === "too_large" || kind === "invalid"
          ? "invalid"
          : "failed";
  return { model, outcome, raw: "", error: `${error.code}: ${error.message}`, latencyMs, tokensIn: 0, tokensOut: 0, costUsd: 0 };
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
