import { OWN_EVENT_TYPES, sourceOf, type ExecutionEvent, type PublishedEvent } from "../definition/event.ts";
import type { Execution, ExecutionStatus } from "../definition/execution.ts";
import type { Json, JsonObject } from "../definition/json.ts";

/** What happens to an execution as a whole, and what people are asked. */
const LIFECYCLE = /^(?:execution\.(?!claimed)|wait\.|event\.published|step\.waiting)/;

/** An event as it leaves: a CloudEvent 1.0 in its JSON form. The same record gives the same event, however often. */
export interface OutgoingEvent {
  specversion: "1.0";
  id: string;
  source: string;
  type: string;
  subject: string;
  time: string;
  datacontenttype: "application/json";
  /** Place in the execution's history; grows, may skip. */
  seq: number;
  /** How many executions lie behind it, each started by the one before. */
  chain: number;
  traceparent: string;
  data: Json;
}

export function isLifecycle({ type }: ExecutionEvent): boolean {
  return LIFECYCLE.test(type);
}

/** W3C `traceparent` of what happens in an execution, or in a visit of it. */
export type Traceparent = (executionId: string, event: ExecutionEvent) => string;

/** The event as others see it: one of ours, or the one its author published. */
export function cloudEventOf(execution: Execution, event: ExecutionEvent, traceparent: Traceparent): OutgoingEvent {
  const published = event.type === "event.published" ? publishedIn(event) : undefined;
  return {
    specversion: "1.0",
    id: published?.id ?? `${execution.id}/${event.seq}`,
    source: published?.source ?? sourceOf(execution),
    type: published?.type ?? `${OWN_EVENT_TYPES}${event.type}`,
    subject: published?.subject ?? execution.id,
    time: event.at,
    datacontenttype: "application/json",
    seq: event.seq,
    chain: chainOf(execution) + 1,
    traceparent: traceparent(execution.id, event),
    data: published ? published.data : dataOf(execution, event),
  };
}

/** What the step that published wrote into the record. */
function publishedIn({ data }: ExecutionEvent): PublishedEvent {
  return data as unknown as PublishedEvent; // `event.published` records are written from that type only
}

/** How many executions led to this one by events: the chain of the event that started it. */
export function chainOf({ trigger: { event } }: Pick<Execution, "trigger">): number {
  const extensions = fieldOf(event, "extensions");
  const chain = Number(fieldOf(extensions, "chain"));
  return Number.isSafeInteger(chain) && chain > 0 ? chain : 0;
}

function fieldOf(value: Json | undefined, name: string): Json | undefined {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value[name] : undefined;
}

/** Made of what never changes: the record may have gone on since. */
function dataOf({ id, workflowId, workflowVersion }: Execution, event: ExecutionEvent): JsonObject {
  const { seq, stepId, visit, branch, attempt, summary, data } = event;
  const status = STATUS_AFTER[event.type];
  return {
    ...data,
    executionId: id,
    workflowId,
    workflowVersion,
    seq,
    ...(stepId !== null && { stepId, visit, branch, attempt }),
    ...(status && { status }),
    summary,
  };
}

const STATUS_AFTER: { [type in ExecutionEvent["type"]]?: ExecutionStatus } = {
  "execution.created": "PENDING",
  "execution.started": "RUNNING",
  "execution.parked": "RUNNING",
  "execution.paused": "PAUSED",
  "execution.resumed": "RUNNING",
  "execution.completed": "COMPLETED",
  "execution.failed": "FAILED",
  "execution.cancelled": "CANCELLED",
};
