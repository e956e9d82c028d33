import type { Decision, DecisionAttempt } from "../definition/decision.ts";
import { SignalboxError, toSignalboxError } from "../errors.ts";
import { guardAnswer, type GuardedAnswer, type RefusedAnswer } from "./decision-guard.ts";
import { repairMessages, type DecisionPrompt } from "./decision-prompt.ts";
import { faultOf, isPassing } from "./failure.ts";
import type { ModelCalls, ModelReply } from "./model-call.ts";

const MAX_ATTEMPTS = 3;
/** Before a second call of a provider that failed without saying when to come back. */
const RETRY_DELAY_MS = 500;
/** A retry that leaves less than this for the answer is not worth its wait. */
const LEAST_ANSWER_MS = 500;

/** Whom to ask, and within which bounds. */
export interface InquiryOptions {
  /** Asked in order. */
  models: readonly string[];
  allowedModels: readonly string[] | undefined;
  /** Events the model may name; they are recorded as proposals. */
  allowedEvents: readonly string[];
  minConfidence: number;
  /** For all calls together. */
  timeoutMs: number;
  signal: AbortSignal;
  now(): number;
  complete: ModelCalls["complete"];
}

/** A call whose answer was not taken. */
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
export interface Inquiry {
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

/** Calls models until one answer holds or there is no further call to make. */
export async function inquire(request: InquiryOptions, prompt: DecisionPrompt, startedAt: number): Promise<Inquiry> {
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

async function call(request: InquiryOptions, prompt: DecisionPrompt, next: Next, deadline: number): Promise<ModelReply | SignalboxError> {
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
  if (faultOf(error) === "content_filter") return null;
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
