import { JsonRecord, JsonValue, type JsonObject } from "../../definition/json.ts";
import { ballotOf, proposalOf, standingVotes } from "../../definition/voting.ts";
import type { Approval, OpenWait } from "../../definition/wait.ts";

type ApprovalStatus = Approval["status"];

/** Store status behind each approval status. */
export const WAIT_STATUS = {
  PENDING: "open",
  APPROVED: "answered",
  REJECTED: "answered",
  EXPIRED: "expired",
  CANCELLED: "cancelled",
} as const satisfies Record<ApprovalStatus, OpenWait["status"]>;

/** An open wait of kind approval as clients see it. */
export function approvalView({ request, answer, votes = [], reminders, ...wait }: OpenWait): Approval {
  const data = answer?.data ?? {};
  const ballot = ballotOf(request);
  const proposal = proposalOf(ballot, votes);
  const standing = standingVotes(ballot, votes);
  const approvals = standing.filter(({ decision }) => !isRejection(decision)).length;
  return {
    id: wait.id,
    executionId: wait.executionId,
    workflowId: wait.workflowId,
    stepId: wait.stepId,
    visit: wait.visit,
    kind: kindOf(request),
    status: approvalStatus(wait.status, data["decision"]),
    title: wait.title,
    description: text(request["description"]),
    assignees: ballot.assignees,
    excluded: ballot.excluded,
    quorum: ballot.quorum ?? 1,
    rejectAt: ballot.rejectAt,
    votes,
    approvals,
    rejections: standing.length - approvals,
    proposal: proposal.number,
    proposed: ballot.proposed,
    value: proposal.value,
    editable: ballot.editable,
    level: whole(request["level"]),
    levels: whole(request["levels"]),
    reminders: reminders?.count ?? 0,
    remindedAt: reminders?.at ?? null,
    form: JsonRecord.nullable()
      .catch(null)
      .parse(request["form"] ?? null),
    evidence: request["evidence"] ?? null,
    choices: texts(request["choices"]),
    createdAt: wait.createdAt,
    expiresAt: wait.expiresAt,
    decidedAt: wait.status === "answered" ? (answer?.at ?? null) : null,
    decidedBy: wait.status === "answered" ? (answer?.principal ?? null) : null,
    reason: text(data["reason"]),
    values: JsonValue.parse(data["values"] ?? null),
  };
}

export function kindOf({ kind }: JsonObject): Approval["kind"] {
  return kind === "decision" || kind === "effect" ? kind : "approval";
}

function approvalStatus(status: OpenWait["status"], decision: unknown): ApprovalStatus {
  switch (status) {
    case "open":
      return "PENDING";
    case "answered":
      return typeof decision === "string" && isRejection(decision) ? "REJECTED" : "APPROVED";
    case "expired":
      return "EXPIRED";
    case "cancelled":
      return "CANCELLED";
    default:
      return status satisfies never;
  }
}

function isRejection(decision: string): boolean {
  return /^reject/i.test(decision);
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}

/** Absent in what the first version asked. */
function whole(value: unknown): number {
  return typeof value === "number" ? value : 1;
}
