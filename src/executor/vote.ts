import { randomUUID } from "node:crypto";
import { compileInputSchema } from "../definition/input-schema.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import { ballotOf, outcomeOf, proposalOf, refusalOf, type Ballot, type Vote } from "../definition/voting.ts";
import type { OpenWait, WaitAnswer } from "../definition/wait.ts";
import { notFound, SignalboxError, type Issue } from "../errors.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import type { Actor } from "./executor.ts";

/** Others who vote at the same moment can be in the way this often; each time one of them got through. */
const MAX_TRIES = 500;

/**
 * Casts a vote on an open question. It is judged by the votes that are there, and counts only while no other came between; else it is
 * judged again, so everybody hears what was true when the vote was counted. The vote that decides is the answer, in the same commit.
 */
export async function castVote(
  { store, clock }: { store: Store; clock: Clock },
  actor: Actor,
  waitId: string,
  data: JsonObject,
): Promise<{ wait: OpenWait; isDecided: boolean }> {
  const id = randomUUID();
  for (let tries = 0; tries < MAX_TRIES; tries++) {
    const wait = await store.waits.get(actor.tenant, waitId);
    if (!wait) throw notFound("approval", waitId);
    if (wait.status !== "open") throw decided(wait);
    const { votes = [] } = wait;
    const ballot = ballotOf(wait.request);
    checkVoter(ballot, votes, actor);
    checkAnswer(wait, data);
    const vote = voteOf(ballot, votes, { id, by: actor.id, at: isoTime(clock) }, data);
    const outcome = outcomeOf(ballot, [...votes, vote]);
    const result = await store.waits.vote(actor.tenant, waitId, vote, votes.length, outcome ? decisionOf(wait, vote, outcome, data) : null);
    if (!result) throw notFound("approval", waitId);
    if (result.accepted) return { wait: result.wait, isDecided: outcome !== undefined };
  }
  throw new SignalboxError("UNAVAILABLE", "Too many people vote at once.");
}

function decisionOf(wait: OpenWait, vote: Vote, outcome: { decision: string; reason: string | null }, data: JsonObject) {
  const votes = [...(wait.votes ?? []), vote];
  const told: JsonObject = { ...data, decision: outcome.decision, ...(outcome.reason !== null && { reason: outcome.reason }) };
  const answer: WaitAnswer = { by: "given", principal: vote.by, at: vote.at, data: { ...told, votes } };
  const { id: waitId, tenant, executionId } = wait;
  const body = { type: "answer" as const, waitId, answer: "given" as const, data: answer.data };
  return { answer, message: { id: `${waitId}-answer`, tenant, executionId, at: vote.at, principal: vote.by, body } };
}

/** An edit is a new proposal, and its first vote. */
function voteOf(ballot: Ballot, votes: readonly Vote[], who: Pick<Vote, "id" | "by" | "at">, data: JsonObject): Vote {
  const { decision, reason, values, value } = data;
  const proposal = proposalOf(ballot, votes);
  const isEdit = value !== undefined;
  return {
    ...who,
    decision: typeof decision === "string" ? decision : "",
    reason: typeof reason === "string" ? reason : null,
    values: values ?? null,
    proposal: proposal.number + (isEdit ? 1 : 0),
    isEdit,
    value: isEdit ? value : proposal.value,
  };
}

function decided({ status, answer }: OpenWait): SignalboxError {
  return new SignalboxError("ALREADY_DECIDED", `It is ${status} already.`, {
    details: { status, ...(answer && { by: answer.principal, at: answer.at }) },
  });
}

function checkVoter(ballot: Ballot, votes: readonly Vote[], actor: Actor): void {
  const refusal = refusalOf(ballot, actor);
  if (refusal === "excluded") {
    throw new SignalboxError("FORBIDDEN", "Who started this, or decided before, may not decide here.", { details: { reason: "excluded" } });
  }
  if (refusal) throw new SignalboxError("FORBIDDEN", "Somebody else is asked.", { details: { reason: "not_assigned" } });
  const { number } = proposalOf(ballot, votes);
  const own = votes.find(({ by, proposal }) => by === actor.id && proposal === number);
  if (own) {
    throw new SignalboxError("ALREADY_VOTED", `You voted "${own.decision}" at ${own.at}.`, {
      details: { decision: own.decision, at: own.at, proposal: number },
    });
  }
}

/** The request says which words are choices, what form the values have, and whether and how the proposed value may be edited. */
function checkAnswer(wait: OpenWait, data: JsonObject): void {
  const { choices } = wait.request;
  if (Array.isArray(choices) && !choices.includes(data["decision"] ?? null)) {
    throw invalid("/decision", `must be one of ${JSON.stringify(choices)}`);
  }
  checkProposal(wait, data);
  const issues = [...editIssues(wait, data), ...formIssues(wait, data)];
  if (issues.length > 0) throw new SignalboxError("INVALID_INPUT", issues[0]?.message, { issues });
}

/** Nobody approves of a value they have not seen. */
function checkProposal({ request, votes = [] }: OpenWait, { proposal }: JsonObject): void {
  const { number } = proposalOf(ballotOf(request), votes);
  if (number > 0 && proposal === undefined) throw invalid("/proposal", `is required: the value was edited, this is proposal ${number}`);
  if (proposal === undefined || proposal === number) return;
  throw new SignalboxError("VERSION_MISMATCH", `The value was edited: this is proposal ${number}.`, { details: { proposal: number } });
}

function editIssues({ request }: OpenWait, { decision, value }: JsonObject): Issue[] {
  if (value === undefined) return [];
  const { editable } = ballotOf(request);
  if (editable === null) throw invalid("/value", "cannot be edited here");
  if (decision !== "approve") throw invalid("/value", "is edited with an approval only");
  return issuesOf("value", editable, value);
}

/** Who says no need not fill in the form. */
function formIssues({ request: { form } }: OpenWait, { decision, values }: JsonObject): Issue[] {
  if (form === null || typeof form !== "object" || Array.isArray(form)) return [];
  return decision === "reject" && values === undefined ? [] : issuesOf("values", form, values ?? {});
}

function issuesOf(field: string, schema: JsonObject, value: Json): Issue[] {
  const { $schema, ...rest } = schema;
  const outer = { ...($schema !== undefined && { $schema }), type: "object", properties: { [field]: rest } };
  return compileInputSchema(outer)({ [field]: value }).map((issue) => ({ ...issue, pointer: issue.pointer.replace(/^\/input/, "") }));
}

function invalid(pointer: string, message: string): SignalboxError {
  return new SignalboxError("INVALID_INPUT", message, { issues: [{ code: "INVALID_INPUT", pointer, message }] });
}
