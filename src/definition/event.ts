import { z } from "zod";
import { JsonRecord, type Json, type JsonObject } from "./json.ts";

export const EXECUTION_EVENT_TYPES = [
  "execution.created",
  "execution.queued",
  "execution.claimed",
  "execution.started",
  "execution.parked",
  "execution.paused",
  "execution.resumed",
  "execution.completed",
  "execution.failed",
  "execution.cancelled",
  "execution.dismissed",
  "step.queued",
  "step.started",
  "step.waiting",
  "step.attempt_failed",
  "step.completed",
  "step.skipped",
  "step.failed",
  "wait.resolved",
  "wait.reminded",
  "decision.guarded",
  "decision.recorded",
  "model.usage",
  "tool.called",
  "event.published",
] as const;
export type ExecutionEventType = (typeof EXECUTION_EVENT_TYPES)[number];

/** One line of an execution's history: the same shape in the store and on every surface. `seq` is 1..n without a gap. */
export const ExecutionEvent = z
  .object({
    seq: z.number().int().min(1),
    at: z.string().describe("RFC 3339, milliseconds, UTC"),
    type: z.enum(EXECUTION_EVENT_TYPES).meta({ id: "ExecutionEventType" }),
    stepId: z.string().nullable(),
    visit: z.number().int().nullable().describe("n-th entry of the step, from 1"),
    branch: z.string().nullable().describe("Region path, null outside parallel and loop regions"),
    attempt: z.number().int().nullable().describe("Attempt of the visit, from 1"),
    summary: z.string().describe("One line for people, made by the server"),
    data: JsonRecord,
  })
  .meta({ id: "ExecutionEvent" });

export interface ExecutionEvent {
  seq: number;
  at: string;
  type: ExecutionEventType;
  stepId: string | null;
  visit: number | null;
  branch: string | null;
  attempt: number | null;
  summary: string;
  data: JsonObject;
}

/** An event before its commit gives it a `seq`. */
export type EventDraft = Omit<ExecutionEvent, "seq" | "at">;

/** First part of the types of the service's own events; authors cannot publish under it. */
export const OWN_EVENT_TYPES = "dev.signalbox.";

/** A CloudEvent an author publishes: what an event `event.published` holds. */
export interface PublishedEvent {
  id: string;
  source: string;
  type: string;
  subject: string | null;
  data: Json;
}

/** Where events of a workflow come from, a URI reference. */
export function sourceOf({ tenant, workflowId }: { tenant: string; workflowId: string }): string {
  return `/signalbox/tenants/${encodeURIComponent(tenant)}/workflows/${encodeURIComponent(workflowId)}`;
}

/** A piece of a model's answer while it is made: transient, without `seq`, on a subscription of its own. */
export const ModelToken = z
  .object({
    executionId: z.string(),
    stepId: z.string(),
    visit: z.number().int(),
    attempt: z.number().int(),
    index: z.number().int(),
    text: z.string(),
    done: z.boolean(),
  })
  .meta({ id: "ModelToken" });
export type ModelToken = z.infer<typeof ModelToken>;
