import { durationMs } from "../definition/duration.ts";
import type { RetryPolicy, Step } from "../definition/step.ts";
import type { SignalboxError } from "../errors.ts";

/** A back-off this long or longer parks the execution instead of holding memory and a lease, milliseconds. */
export const PARKED_BACKOFF_MS = 5_000;

/**
 * Milliseconds until the next attempt, or undefined when there is none. A model's or server's own `retryAfterMs` is honoured.
 * Full jitter, because equal delays of many executions meet again at the same dependency.
 */
export function nextBackoffMs(step: Step, attempt: number, error: SignalboxError, random: () => number = Math.random): number | undefined {
  const policy = step.retry;
  if (!policy || attempt >= policy.maxAttempts || !isRetried(policy, error)) return undefined;
  const longest = durationMs(policy.maxDelay) ?? 0;
  const computed = Math.min(longest, (durationMs(policy.delay) ?? 0) * policy.multiplier ** (attempt - 1));
  const backoff = policy.jitter ? random() * computed : computed;
  const asked = error.details["retryAfterMs"];
  return Math.round(Math.max(backoff, typeof asked === "number" ? asked : 0));
}

function isRetried(policy: RetryPolicy, error: SignalboxError): boolean {
  const codes = [error.code, ...detailCodes(error)];
  if (policy.doNotRetryOn?.some((code) => codes.includes(code))) return false;
  return policy.retryOn ? policy.retryOn.some((code) => codes.includes(code)) : error.retryable;
}

/** A step may name a finer code ("HTTP_503") beside its row of the error table. */
function detailCodes(error: SignalboxError): string[] {
  const code = error.details["code"];
  return typeof code === "string" ? [code] : [];
}
