import { JsonRecord, JsonValue } from "../../definition/json.ts";
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
export function approvalView({ request, answer, ...wait }: OpenWait): Approval {
  const data = answer?.data ?? {};
  return {
    id: wait.id,
    executionId: wait.executionId,
    workflowId: wait.workflowId,
    stepId: wait.stepId,
    visit: wait.visit,
    status: approvalStatus(wait.status, data["decision"]),
    title: wait.title,
    description: text(request["description"]),
    assignees: texts(request["assignees"]),
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

function approvalStatus(status: OpenWait["status"], decision: unknown): ApprovalStatus {
  switch (status) {
    case "open":
      return "PENDING";
    case "answered":
      return typeof decision === "string" && /^reject/i.test(decision) ? "REJECTED" : "APPROVED";
    case "expired":
      return "EXPIRED";
    case "cancelled":
      return "CANCELLED";
    default:
      return status satisfies never;
  }
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function texts(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((item) => typeof item === "string") : [];
}
