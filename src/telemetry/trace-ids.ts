import { createHash } from "node:crypto";

export interface Place {
  stepId: string | null;
  branch: string | null;
  visit: number | null;
}

/**
 * Trace and span ids are made from the execution's id, so that every process that takes part writes to one trace, and nothing
 * about it has to be stored or handed over.
 */
export function traceIdOf(executionId: string): string {
  return digest(executionId).slice(0, 32);
}

/** The span of a step's visit, or of the execution itself where no step is named. */
export function spanIdOf(executionId: string, { stepId, branch, visit }: Place = { stepId: null, branch: null, visit: null }): string {
  return digest(stepId === null ? `${executionId}/` : `${executionId}/${branch ?? ""}/${stepId}/${visit}`).slice(0, 16);
}

/** W3C `traceparent` for what a visit sends out: a webhook, a message, a call of a model or a tool. */
export function traceparentOf(executionId: string, place: Place, isSampled: (traceId: string) => boolean): string {
  const traceId = traceIdOf(executionId);
  return `00-${traceId}-${spanIdOf(executionId, place)}-${isSampled(traceId) ? "01" : "00"}`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
