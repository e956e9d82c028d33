import type { StepPlace, TimedDraft } from "../compiler/host.ts";
import type { Decision } from "../definition/decision.ts";

/** The record of a choice becomes an event in the commit that stores it. */
export function recordedEvent(place: StepPlace, decision: Decision, at: string): TimedDraft {
  const chosen = decision.selected ?? "nothing";
  return {
    at,
    type: "decision.recorded",
    stepId: place.stepId,
    visit: place.visit,
    branch: place.branch,
    attempt: place.attempt,
    summary: `${place.stepId} chose ${chosen}${decision.rationale ? `: ${decision.rationale}` : ""}`.slice(0, 400),
    data: {
      decisionId: decision.id,
      selected: decision.selected,
      source: decision.source,
      confidence: decision.confidence,
      rationale: decision.rationale,
      model: decision.model,
      offline: decision.offline,
    },
  };
}
