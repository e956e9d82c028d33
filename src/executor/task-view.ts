import type { Json } from "../definition/json.ts";
import type { Task } from "../definition/task.ts";
import type { OpenWait } from "../definition/wait.ts";

/** What the `task` step asked for, see task.step.ts. */
export interface TaskRequest {
  queue: string;
  payload: Json;
  idempotencyKey: string;
  maxAttempts: number;
  leaseMs: number;
  /** Epoch milliseconds. */
  runAt: number | null;
}

export function requestOf({ request }: OpenWait): TaskRequest {
  return request as unknown as TaskRequest; // written by the task step alone
}

export function taskView(wait: OpenWait, now: number): Task {
  const { queue, payload, idempotencyKey, maxAttempts, runAt } = requestOf(wait);
  const { lease } = wait;
  const isLeased = wait.status === "open" && lease !== undefined && lease.worker !== null && lease.until > now;
  return {
    id: wait.id,
    queue,
    title: wait.title,
    status: statusOf(wait, isLeased),
    payload,
    executionId: wait.executionId,
    workflowId: wait.workflowId,
    stepId: wait.stepId,
    visit: wait.visit,
    idempotencyKey,
    attempt: lease?.token ?? 0,
    maxAttempts,
    token: lease?.token ?? 0,
    worker: lease?.worker ?? null,
    leaseUntil: isLeased ? new Date(lease.until).toISOString() : null,
    runAt: runAt === null ? null : new Date(runAt).toISOString(),
    createdAt: wait.createdAt,
    expiresAt: wait.expiresAt,
  };
}

function statusOf({ status, answer }: OpenWait, isLeased: boolean): Task["status"] {
  switch (status) {
    case "open":
      return isLeased ? "LEASED" : "OPEN";
    case "answered":
      return answer?.data["outcome"] === "failed" ? "FAILED" : "COMPLETED";
    case "expired":
      return "EXPIRED";
    case "cancelled":
      return "CANCELLED";
    default:
      return status satisfies never;
  }
}
