import { z } from "zod";
import { JsonValue } from "./json.ts";

export const TaskStatus = z.enum(["OPEN", "LEASED", "COMPLETED", "FAILED", "EXPIRED", "CANCELLED"]).meta({ id: "TaskStatus" });

/** Work for a worker outside, as workers and clients see it. */
export const Task = z
  .object({
    id: z.string(),
    queue: z.string(),
    title: z.string(),
    status: TaskStatus.describe("OPEN: anybody may take it; LEASED: a worker has it"),
    payload: JsonValue,
    executionId: z.string(),
    workflowId: z.string(),
    stepId: z.string(),
    visit: z.number().int(),
    idempotencyKey: z.string().describe("The same on every attempt: what the work leads to outside should carry it"),
    attempt: z.number().int().describe("How often it was taken"),
    maxAttempts: z.number().int(),
    token: z.number().int().describe("Fencing number of the lease: goes with every heartbeat and with the result"),
    worker: z.string().nullable(),
    leaseUntil: z.string().nullable().describe("Who has not been heard of until then loses it"),
    runAt: z.string().nullable().describe("Nobody is given it before"),
    createdAt: z.string(),
    expiresAt: z.string().nullable().describe("When the step stops waiting"),
  })
  .meta({ id: "Task" });
export type Task = z.infer<typeof Task>;

/** Where the tasks of a queue are found; no topic of an event has a colon. */
export function taskTopic(queue: string): string {
  return `task:${queue}`;
}
