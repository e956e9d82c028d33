import { z } from "zod";
import { JsonValue, type Json, type JsonObject } from "./json.ts";

/** One person's word on an open question. Written once; an edit makes a new proposal that is voted on anew. */
export const Vote = z
  .object({
    id: z.string(),
    by: z.string().describe("Principal"),
    at: z.string(),
    decision: z.string(),
    reason: z.string().nullable(),
    values: JsonValue,
    proposal: z.number().int().describe("What it is a vote on: 0 as proposed, n after the n-th edit"),
    isEdit: z.boolean().describe("It changed the proposed value, and approves of the change"),
    value: JsonValue.describe("The value it is a vote on, where one was proposed"),
  })
  .meta({ id: "Vote" });
export type Vote = z.infer<typeof Vote>;

/** Who votes, as far as the rules care. `all`: belongs to everything, where nobody asks for credentials. */
export interface Voter {
  id: string;
  groups?: ReadonlySet<string> | "all" | undefined;
}

/** The rules of a question, read from what was asked. */
export interface Ballot {
  /** Principals, `group:<name>` and `role:<name>`; everybody where empty. */
  assignees: string[];
  /** Who may not decide although assigned. */
  excluded: string[];
  /** Null: the first vote decides, whatever it says. */
  quorum: number | null;
  rejectAt: number;
  /** True while others may be asked later: then who is asked now does not bound who may vote. */
  mayGrow: boolean;
  proposed: Json;
  /** JSON Schema of an edited value; null where it cannot be edited. */
  editable: JsonObject | null;
}

export function ballotOf(request: JsonObject): Ballot {
  const { quorum, rejectAt, level, levels, proposed, editable } = request;
  return {
    assignees: texts(request["assignees"]),
    excluded: texts(request["excluded"]),
    quorum: typeof quorum === "number" ? quorum : null,
    rejectAt: typeof rejectAt === "number" ? rejectAt : 1,
    mayGrow: Number(level ?? 1) < Number(levels ?? 1),
    proposed: proposed ?? null,
    editable: editable !== null && typeof editable === "object" && !Array.isArray(editable) ? editable : null,
  };
}

/** The value on the table and its number: what was proposed, or what the last edit made of it. */
export function proposalOf({ proposed }: Ballot, votes: readonly Vote[]): { number: number; value: Json } {
  const edit = votes.findLast(({ isEdit }) => isEdit);
  return edit ? { number: edit.proposal, value: edit.value } : { number: 0, value: proposed };
}

/** Votes on what is on the table now; those before an edit were on something else. */
export function standingVotes(ballot: Ballot, votes: readonly Vote[]): Vote[] {
  const { number } = proposalOf(ballot, votes);
  return votes.filter(({ proposal }) => proposal === number);
}

/** What the votes decide, undefined while they do not. */
export function outcomeOf(ballot: Ballot, votes: readonly Vote[]): { decision: string; reason: string | null } | undefined {
  const last = votes.at(-1);
  if (!last) return undefined;
  if (ballot.quorum === null) return { decision: last.decision, reason: last.reason };
  const standing = standingVotes(ballot, votes);
  const approvals = standing.filter(({ decision }) => decision === "approve").length;
  if (approvals >= ballot.quorum) return { decision: "approve", reason: last.reason };
  if (standing.length - approvals >= ballot.rejectAt) return { decision: "reject", reason: last.reason };
  const electorate = electorateOf(ballot);
  if (electorate !== undefined && electorate - (standing.length - approvals) < ballot.quorum) {
    return { decision: "reject", reason: last.reason ?? "Too few are left who could approve." };
  }
  return undefined;
}

/** How many may vote, where that is known: not where groups are asked, and not where others may be asked later. */
function electorateOf({ assignees, excluded, mayGrow }: Ballot): number | undefined {
  if (mayGrow || assignees.length === 0 || assignees.some(isGroup)) return undefined;
  return new Set(assignees.filter((name) => !excluded.includes(name))).size;
}

/** Why somebody may not vote, undefined where nothing is against it. */
export function refusalOf({ assignees, excluded }: Ballot, voter: Voter): "excluded" | "not assigned" | undefined {
  if (excluded.some((name) => isOneOf(name, voter, false))) return "excluded";
  return assignees.length === 0 || assignees.some((name) => isOneOf(name, voter, true)) ? undefined : "not assigned";
}

function isOneOf(name: string, { id, groups }: Voter, inAll: boolean): boolean {
  return name === id || (groups === "all" ? inAll : groups?.has(name) === true);
}

/** True of a name that stands for several people. */
export function isGroup(name: string): boolean {
  return /^(?:group|role):/.test(name);
}

function texts(value: Json | undefined): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
