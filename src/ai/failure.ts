import { ERRORS, SignalboxError, type ErrorCode } from "../errors.ts";
import type { ModelReply } from "./model-call.ts";

/** What went wrong with a model call or its answer: `details.kind` of every error of this folder. */
export type ModelFault =
  | "timeout"
  | "rate_limited"
  | "refused"
  | "content_filter"
  | "length"
  | "tool_call"
  | "http"
  | "network"
  | "invalid"
  | "too_large"
  | "circuit_open"
  | "not_configured"
  | "not_allowed";

const NOT_CONFIGURED_STATUS: ReadonlySet<unknown> = new Set([401, 403, 404]);

/** An error of a model call, with its kind and small facts in `details`. */
export function modelError(
  kind: ModelFault,
  message: string,
  { code = "MODEL_FAILED", cause, ...details }: { code?: ErrorCode; cause?: unknown; [detail: string]: unknown } = {},
): SignalboxError {
  return new SignalboxError(code, message, { details: { kind, ...details }, cause });
}

/** The kind of an error of this folder; undefined for any other error. */
export function faultOf(error: SignalboxError): ModelFault | undefined {
  return error.details["kind"] as ModelFault | undefined;
}

/** True where the same call may succeed a little later: the provider is busy or out of reach. */
export function isPassing(error: SignalboxError): boolean {
  const kind = faultOf(error);
  return kind === "rate_limited" || kind === "network" || (kind === "http" && Number(error.details["status"]) >= 500);
}

/**
 * What a call threw, as one of ours. Told by status, code and place in the cause chain, never by message: LangChain and the client
 * below it throw six classes for one bad answer.
 */
export function classifyModelError(thrown: unknown, model: string, now: number): SignalboxError {
  const chain = causes(thrown);
  const own = chain.find((error) => error instanceof SignalboxError);
  if (own) return own;
  const answered = chain.find((error) => typeof error["status"] === "number");
  if (answered) return httpError(answered, model, now, thrown);
  const code = chain.map((error) => error["code"]).find((value) => typeof value === "string");
  if (typeof code === "string" && /^(E[A-Z_]+|UND_ERR_[A-Z_]+)$/.test(code)) return networkError(model, code, thrown);
  return modelError("invalid", `The answer of ${model} could not be read.`, { model, cause: thrown });
}

/** A connection that failed or broke. */
export function networkError(model: string, code: string, cause: unknown): SignalboxError {
  return modelError("network", `${model} cannot be reached (${code}).`, { model, reason: code, cause });
}

/** What is wrong with an answer that did arrive; undefined where it may be used. */
export function replyFault(reply: ModelReply): { kind: ModelFault; message: string } | undefined {
  if (reply.refusal !== null) return { kind: "refused", message: `The model refused: ${reply.refusal.slice(0, 500)}` };
  if (reply.finishReason === "content_filter")
    return { kind: "content_filter", message: "The provider's content filter held the answer back." };
  if (reply.calls.length > 0) {
    const names = reply.calls.map(({ name }) => name || "a tool");
    return { kind: "tool_call", message: `The model called ${names.slice(0, 5).join(", ").slice(0, 200)} instead of answering.` };
  }
  if (reply.finishReason === "length") return { kind: "length", message: "The answer was cut off at its token limit." };
  return undefined;
}

function httpError(answered: Record<string, unknown>, model: string, now: number, cause: unknown): SignalboxError {
  const status = Number(answered["status"]);
  const reason = typeof answered["code"] === "string" ? answered["code"].slice(0, 64) : null;
  const facts = { model, status, reason, cause };
  // Azure's gateway says so by a 400 instead of by finish_reason.
  if (reason === "content_filter") return modelError("content_filter", "The provider's content filter refused the prompt.", facts);
  if (reason === "insufficient_quota")
    return modelError("not_configured", `The account behind ${model} has no quota left.`, { ...facts, code: "MODEL_NOT_CONFIGURED" });
  if (status === 429) {
    return modelError("rate_limited", `${model} is rate limited.`, { ...facts, retryAfterMs: retryAfterMs(answered["headers"], now) });
  }
  if (NOT_CONFIGURED_STATUS.has(status)) {
    const message = status === 404 ? `The endpoint does not know ${model} (404).` : `The endpoint refused the key of ${model} (${status}).`;
    return modelError("not_configured", message, { ...facts, code: "MODEL_NOT_CONFIGURED" });
  }
  return modelError("http", `${model} answered with status ${status}.`, { ...facts, retryAfterMs: retryAfterMs(answered["headers"], now) });
}

/** Retry-After in either of its forms, milliseconds; null where there is none. */
function retryAfterMs(headers: unknown, now: number): number | null {
  const value = headers instanceof Headers ? headers.get("retry-after") : (headers as Record<string, unknown> | undefined)?.["retry-after"];
  if (typeof value !== "string" && typeof value !== "number") return null;
  const seconds = Number(value);
  if (Number.isFinite(seconds)) return Math.max(0, seconds * 1_000);
  const date = Date.parse(String(value));
  return Number.isNaN(date) ? null : Math.max(0, date - now);
}

function causes(thrown: unknown): Record<string, unknown>[] {
  const chain: Record<string, unknown>[] = [];
  for (let error = thrown; typeof error === "object" && error !== null && chain.length < 8; error = (error as { cause?: unknown }).cause) {
    chain.push(error as Record<string, unknown>);
  }
  return chain;
}

/** The error of an aborted call: the reason where it is one of ours (cancel, lease, step timeout), else CANCELLED. */
export function abortedError(signal: AbortSignal): SignalboxError {
  return signal.reason instanceof SignalboxError
    ? signal.reason
    : new SignalboxError("CANCELLED", ERRORS.CANCELLED.title, { cause: signal.reason });
}
