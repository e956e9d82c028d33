import { createHash } from "node:crypto";

interface Place {
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

/** W3C `traceparent` for what a visit sends out: a webhook, a message. */
export function traceparentOf(executionId: string, place: Place): string {
  return `00-${traceIdOf(executionId)}-${spanIdOf(executionId, place)}-01`;
}

function digest(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
