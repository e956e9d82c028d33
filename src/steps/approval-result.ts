import type { Json } from "../definition/json.ts";
import { ballotOf, outcomeOf, proposalOf, type Ballot, type Vote } from "../definition/voting.ts";
import type { WaitAnswer } from "../definition/wait.ts";
import type { Asked } from "./approval-levels.ts";
import type { StepResult } from "./step.ts";

/**
 * What an answer makes of a question: undefined where it is one vote of several, taken by a process of the version before, which knew
 * no quorum.
 */
export function approvalResult(asked: Asked, answer: WaitAnswer, votes: Vote[]): StepResult | undefined {
  const { data, principal, at } = answer;
  const ballot = ballotOf(asked.request);
  if (data["votes"] === undefined && principal !== null && ballot.quorum !== null) {
    votes.push(loneVote(ballot, votes, answer));
    const outcome = outcomeOf(ballot, votes);
    if (!outcome) return undefined;
    data["decision"] = outcome.decision;
  }
  const isOver = data["decision"] !== undefined;
  const decision = !isOver ? "timeout" : data["decision"] === "approve" ? "approve" : "reject";
  const { number, value } = proposalOf(ballot, votes);
  const output: Json = {
    decision,
    approved: decision === "approve",
    by: principal,
    at,
    reason: data["reason"] ?? null,
    values: data["values"] ?? null,
    proposed: ballot.proposed,
    value: decision === "approve" ? value : null,
    edited: number > 0,
    level: Number(asked.request["level"] ?? 1),
    votes: votes.map(({ by, at: when, decision: said, reason }) => ({ by, at: when, decision: said, reason })),
  };
  return { kind: "done", outcome: !isOver ? "timeout" : decision === "approve" ? "success" : "rejected", output };
}

function loneVote(ballot: Ballot, votes: readonly Vote[], { principal, at, data }: WaitAnswer): Vote {
  const { number, value } = proposalOf(ballot, votes);
  const reason = typeof data["reason"] === "string" ? data["reason"] : null;
  const by = principal ?? "";
  const decision = data["decision"] === "approve" ? "approve" : "reject";
  return { id: `${by}/${at}`, by, at, decision, reason, values: data["values"] ?? null, proposal: number, isEdit: false, value };
}
