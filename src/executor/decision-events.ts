import type { StepHost, StepPlace, TimedDraft } from "../compiler/host.ts";
import type { Decision } from "../definition/decision.ts";
import type { Execution } from "../definition/execution.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { Committer } from "./committer.ts";
import type { SessionReads } from "./session-reads.ts";

interface DecisionsOptions {
  draft: Execution;
  committer: Committer;
  reads: SessionReads;
  clock: Clock;
  flush(): Promise<void>;
}

/** Choices of a session: each is durable, with its event, before it takes effect. */
export function recordsDecisions({
  draft,
  committer,
  reads,
  clock,
  flush,
}: DecisionsOptions): Pick<StepHost, "decision" | "recordDecision"> {
  return {
    decision: ({ path, visit }) => reads.decision(path, visit),
    async recordDecision(place, decision) {
      // A crash between this commit and the step's own leads here again with a person's answer: it is told once.
      if (draft.epoch > 1 && (await reads.isRecorded(decision.id))) return;
      committer.pending.decisions.push(decision);
      committer.pending.drafts.push(recordedEvent(place, decision, isoTime(clock)));
      await flush();
    },
  };
}

/** The record of a choice becomes an event in the commit that stores it. */
function recordedEvent(place: StepPlace, decision: Decision, at: string): TimedDraft {
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
