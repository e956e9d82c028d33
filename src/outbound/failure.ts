import { SignalboxError, type ErrorOptions } from "../errors.ts";
import type { HttpReply } from "./http.ts";

/** Statuses of a receiver that may say something else later. */
const RETRYABLE: ReadonlySet<number> = new Set([408, 425, 429, 500, 502, 503, 504]);
const UNREACHABLE = /^(?:ECONNREFUSED|EHOSTUNREACH|ENETUNREACH|EHOSTDOWN|ETIMEDOUT|UND_ERR_CONNECT_TIMEOUT)$/;
const DNS = /^(?:ENOTFOUND|EAI_\w+|ENODATA|ESERVFAIL)$/;
const TLS = /^(?:ERR_TLS_|ERR_SSL_|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH)/;

/** What kept a request from being answered, as one of ours. */
export function outboundError(thrown: unknown, host: string): SignalboxError {
  for (let error = thrown; error instanceof Error; error = error instanceof AggregateError ? error.errors[0] : error.cause) {
    if (error instanceof SignalboxError) return error;
    const { code } = error as { code?: unknown };
    const known = typeof code === "string" ? byCode(code, host, thrown) : undefined;
    if (known) return known;
  }
  return new SignalboxError("STEP_FAILED", `The connection to ${host} broke before it answered.`, {
    details: { code: "CONNECTION", host },
    cause: thrown,
  });
}

function byCode(code: string, host: string, cause: unknown): SignalboxError | undefined {
  const error = (
    kind: "STEP_FAILED" | "REQUEST_REFUSED" | "TOO_LARGE" | "INVALID_INPUT",
    message: string,
    details: Record<string, unknown>,
  ) => new SignalboxError(kind, message, { details: { host, ...details }, cause });
  if (DNS.test(code)) return error("STEP_FAILED", `The host ${host} cannot be resolved.`, { code: "DNS", happened: false });
  if (UNREACHABLE.test(code)) return error("STEP_FAILED", `${host} cannot be reached.`, { code: "UNREACHABLE", happened: false });
  if (TLS.test(code))
    return error("REQUEST_REFUSED", `The certificate of ${host} is not valid: ${code}.`, { code: "TLS", happened: false });
  if (code === "UND_ERR_HEADERS_OVERFLOW" || code === "HPE_HEADER_OVERFLOW")
    return error("TOO_LARGE", `${host} answered with too many headers.`, { code: "TOO_LARGE" });
  if (code === "UND_ERR_INVALID_ARG")
    return error("INVALID_INPUT", `The request to ${host} cannot be written: a header or the method is not valid.`, { happened: false });
  return undefined;
}

/** The failure a status stands for: retryable where the receiver may say something else later. */
export function statusError({ status, headers }: Pick<HttpReply, "status" | "headers">, now: number): SignalboxError {
  const details: NonNullable<ErrorOptions["details"]> = { code: `HTTP_${status}`, status };
  const retryAfterMs = retryAfter(headers["retry-after"], now);
  if (retryAfterMs !== undefined) details["retryAfterMs"] = retryAfterMs;
  // Told to come back later, or to come again: it has done nothing.
  if (status === 429 || status === 425 || status === 408) details["happened"] = false;
  return new SignalboxError(RETRYABLE.has(status) ? "STEP_FAILED" : "REQUEST_REFUSED", `The receiver answered with status ${status}.`, {
    details,
  });
}

const LONGEST_RETRY_AFTER_MS = 3_600_000;

function retryAfter(value: string | undefined, now: number): number | undefined {
  if (value === undefined) return undefined;
  const wait = /^\d{1,9}$/.test(value) ? Number(value) * 1_000 : Date.parse(value) - now;
  return Number.isNaN(wait) ? undefined : Math.min(Math.max(wait, 0), LONGEST_RETRY_AFTER_MS);
}
