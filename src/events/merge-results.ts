import type { EventResult } from "../definition/received-event.ts";

const MAX_WOKEN = 100;

/**
 * What is known of an event after it was looked at again: a line per trigger, where an execution that was started stays the news, and
 * everybody who was woken.
 */
export function mergeResults(before: EventResult, now: EventResult): EventResult {
  const outcomes = new Map(before.outcomes.map((line) => [`${line.workflowId}/${line.triggerId}`, line]));
  for (const line of now.outcomes) {
    const key = `${line.workflowId}/${line.triggerId}`;
    const known = outcomes.get(key);
    if (known?.status !== "STARTED" || line.status === "STARTED") outcomes.set(key, line);
  }
  const woken = new Map([...before.woken, ...now.woken].map((wake) => [`${wake.executionId}/${wake.stepId}`, wake]));
  return { outcomes: [...outcomes.values()], woken: [...woken.values()].slice(0, MAX_WOKEN) };
}
