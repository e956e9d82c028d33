import { createHash } from "node:crypto";
import { z } from "zod";
import { JsonRecord, JsonValue, type Json } from "./json.ts";

/** A CloudEvent 1.0 that may start or wake executions; (source, id) is what makes it this event and no other. */
export interface IncomingEvent {
  id: string;
  source: string;
  type: string;
  subject?: string | undefined;
  /** RFC 3339. */
  time?: string | undefined;
  data: Json;
  /** Further attributes of the event. */
  extensions?: Record<string, Json> | undefined;
  /** Parts of its address, as a trigger's own pattern names them; nothing that came with it. */
  params?: Record<string, string> | undefined;
}

/** What one trigger made of one event. */
export const TriggerOutcome = z
  .object({
    workflowId: z.string(),
    triggerId: z.string(),
    status: z
      .enum(["STARTED", "DUPLICATE", "SKIPPED", "REFUSED"])
      .meta({ id: "TriggerResult" })
      .describe("DUPLICATE: it had started this execution before; SKIPPED: it did not apply; REFUSED: it could not be started as it is"),
    executionId: z.string().nullable(),
    code: z.string().nullable().describe("Error code of a refusal"),
    reason: z.string(),
  })
  .meta({ id: "TriggerOutcome" });
export type TriggerOutcome = z.infer<typeof TriggerOutcome>;

/** A waiting step that an event was delivered to. */
export const EventWake = z
  .object({ workflowId: z.string(), executionId: z.string(), stepId: z.string() })
  .meta({ id: "EventWake" })
  .describe("A waiting step that the event was delivered to");
export type EventWake = z.infer<typeof EventWake>;

/** What became of an event: a line per trigger that listens to its type, and what it woke. */
export interface EventResult {
  outcomes: TriggerOutcome[];
  woken: EventWake[];
}

/** What became of one event. No line and nobody woken: nothing listens, which is no error. */
export const EventReceipt = z
  .object({
    id: z.string().describe("What the event is found under in the event store"),
    eventId: z.string(),
    source: z.string(),
    type: z.string(),
    outcomes: z.array(TriggerOutcome),
    woken: z.array(EventWake).describe("Running executions whose waiting steps it was delivered to; the first hundred"),
  })
  .meta({ id: "EventReceipt" });
export type EventReceipt = z.infer<typeof EventReceipt>;

export const EVENT_VIAS = ["api", "pubsub", "push", "webhook", "step"] as const;
export const EventVia = z.enum(EVENT_VIAS).meta({ id: "EventVia" }).describe("The way an event came in");
export type EventVia = z.infer<typeof EventVia>;

export const EventOutcome = z
  .enum(["TAKEN", "REFUSED", "IGNORED"])
  .meta({ id: "EventOutcome" })
  .describe("TAKEN: it started or woke something; REFUSED: a trigger could not take it; IGNORED: nothing listens, or nothing applies");
export type EventOutcome = z.infer<typeof EventOutcome>;

/** An event that was taken in, as it is kept. */
export interface ReceivedEvent {
  /** Digest of the event's (source, id). */
  id: string;
  tenant: string;
  event: IncomingEvent;
  via: EventVia;
  /** RFC 3339, when the first copy came in. */
  receivedAt: string;
  /** When retention may delete it, epoch milliseconds. */
  expireAt: number;
  result: EventResult;
}

/** A message that could not be taken as an event, kept for people. */
export interface ParkedEvent {
  id: string;
  tenant: string;
  /** Why: an error code. */
  code: string;
  reason: string;
  /** Where it came from: "pubsub", "push". */
  via: EventVia;
  /** The topic or subscription. */
  origin: string;
  messageId: string;
  publishedAt: string;
  parkedAt: string;
  attributes: Readonly<Record<string, string>>;
  /** The message's bytes, base64; only the first of them where `isTruncated`. */
  data: string;
  bytes: number;
  /** SHA-256 of the whole data, hexadecimal. */
  sha256: string;
  /** True: not all of it is kept, so it cannot be redriven as it was. */
  isTruncated: boolean;
  status: ParkedStatus;
  /** Who settled it, when, and as which event. */
  settled: { at: string; principal: string; receivedId: string | null } | null;
  expireAt: number;
}

export const ParkedStatus = z.enum(["PARKED", "REDRIVEN", "DISCARDED"]).meta({ id: "ParkedStatus" });
export type ParkedStatus = z.infer<typeof ParkedStatus>;

/** What events of one type look like. */
export const EventType = z
  .object({
    type: z.string().describe("`type` of the events"),
    description: z.string().nullable(),
    schema: JsonRecord.describe("JSON Schema that `data` must fit"),
    example: JsonValue.describe("Data that fits"),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: "EventType" });
export type EventType = z.infer<typeof EventType>;

/** What an event is kept under: 132 bits of a digest, one for each (source, id). */
export function receivedIdOf({ source, id }: Pick<IncomingEvent, "source" | "id">): string {
  return digest([source, id]);
}

/**
 * Where events meet the steps that wait for them: by type, or by type and subject. A digest, because types and subjects are anybody's
 * text and this is a key.
 */
export function topicOf(type: string, subject?: string): string {
  return digest(subject === undefined ? [type] : [type, subject]);
}

/** In one word; what was refused must be seen even where something else was started. */
export function outcomeOfResult({ outcomes, woken }: EventResult): EventOutcome {
  if (outcomes.some(({ status }) => status === "REFUSED")) return "REFUSED";
  return woken.length > 0 || outcomes.some(({ status }) => status !== "SKIPPED") ? "TAKEN" : "IGNORED";
}

function digest(parts: string[]): string {
  // JSON escapes what UTF-8 cannot hold, so that no two texts become one.
  return createHash("sha256").update(JSON.stringify(parts)).digest("base64url").slice(0, 22);
}
