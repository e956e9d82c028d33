import { SignalboxError } from "../errors.ts";
import type { WaitRequest } from "../steps/step.ts";
import type { Visit, VisitEnd } from "./visit.ts";

/**
 * `effect: once` has three states: claimed before the call (the attempt is durable before the step runs), done with the result (the
 * commit of the visit), and unknown: claimed, and no result. What is unknown is never repeated silently; a person settles it.
 */
export function isOnce({ plan }: Visit): boolean {
  return (plan.step.effect ?? plan.type.effect?.(plan.step.config)) === "once";
}

/** True when an attempt was begun, after the last wait of this visit if it had any, and nobody knows how it ended. */
export function isUnknown(visit: Visit): boolean {
  const { path, visit: number } = visit.place;
  return isOnce(visit) && visit.host.attemptsAt(path, number) > (visit.wait?.attempt ?? 0);
}

/** True when the effect of a failed attempt may have happened: the step did not say that it did not. */
export function mayHaveHappened(visit: Visit, error: SignalboxError): boolean {
  return isOnce(visit) && error.retryable && error.details["happened"] !== false;
}

/** Asks what happened. It stands in the approvals inbox with the key the receiver was given. */
export function askWhatHappened({ plan, host, place }: Visit, why: string): WaitRequest {
  return {
    kind: "effect",
    dueAt: null,
    state: null,
    open: {
      title: `Did it happen? ${plan.step.name}`,
      request: {
        kind: "effect",
        description: why,
        assignees: [],
        form: null,
        choices: ["happened", "retry", "fail"],
        evidence: { idempotencyKey: `${host.execution.id}/${place.path}/${place.visit}`, attempt: place.attempt },
      },
    },
  };
}

/** What a settled question means; undefined means: run it again, with the same key. */
export function settledEffect({ wait }: Visit): VisitEnd | undefined {
  if (wait?.kind !== "effect" || !wait.answer) return undefined;
  const { decision, values, reason } = wait.answer.data;
  if (decision === "happened") return { kind: "done", outcome: "success", output: values ?? null };
  if (decision === "retry") return undefined;
  return { kind: "failed", error: new SignalboxError("EFFECT_UNKNOWN", typeof reason === "string" ? reason : undefined) };
}
