import type { Execution } from "../definition/execution.ts";
import type { WaitAnswer } from "../definition/wait.ts";
import type { Absorbed } from "./absorb.ts";

/** Takes an answer into the record; the first one counts. */
export function answerWait(draft: Execution, result: Absorbed, waitId: string, answer: WaitAnswer): void {
  const wait = draft.waits.find(({ id }) => id === waitId);
  if (!wait || wait.answer !== null) return;
  wait.answer = answer;
  result.answered = true;
  const how = answer.by === "due" ? "its time came" : `answered by ${answer.principal ?? "nobody"}`;
  result.events.push({
    at: answer.at,
    type: "wait.resolved",
    stepId: wait.stepId,
    visit: wait.visit,
    branch: wait.branch,
    attempt: wait.attempt,
    summary: `${wait.stepId} goes on: ${how}.`,
    data: { waitId, kind: wait.kind, by: answer.by, principal: answer.principal },
  });
}
