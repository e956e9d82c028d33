import { jsonBoundIssues } from "../definition/json-bounds.ts";
import type { EventVia, IncomingEvent } from "../definition/received-event.ts";
import { SignalboxError, type ErrorCode } from "../errors.ts";
import type { EventMessage } from "../ports/event-feed.ts";
import { CloudEvent } from "../triggers/event.ts";
import type { EventIngest } from "./ingest.ts";
import type { Parking } from "./parking.ts";

const STRUCTURED = /^application\/cloudevents\+json\b/i;
/** Attributes of a plain message that say something about its event. */
const PLAIN = ["id", "source", "type", "subject", "time", "traceparent"] as const;

export interface MessageHandlerOptions {
  ingest: EventIngest;
  parking: Parking;
  /** Longest data of a message, bytes. */
  maxBytes: number;
}

/** Why a message can never be taken as it is. */
export interface Refusal {
  code: ErrorCode;
  reason: string;
}

/**
 * Turns messages into events and takes them in; resolves when what they do is durable. What can never be taken (no event, an event that
 * does not fit its type, or that a trigger refuses) is parked, durably as well. Rejects with what may pass.
 */
export function createMessageHandler({ ingest, parking, maxBytes }: MessageHandlerOptions) {
  return async (tenant: string, message: EventMessage, via: EventVia): Promise<void> => {
    const refusal = await takeMessage(ingest, tenant, message, { via, maxBytes });
    if ("code" in refusal) await parking.park(tenant, message, via, refusal);
  };
}

export type MessageHandler = ReturnType<typeof createMessageHandler>;

/** Takes a message in: what the event was kept under, or why it cannot be taken. Rejects with what may pass. */
export async function takeMessage(
  ingest: EventIngest,
  tenant: string,
  message: EventMessage,
  { via, maxBytes }: { via: EventVia; maxBytes: number },
): Promise<{ receivedId: string } | Refusal> {
  const read = readEvent(message, maxBytes);
  if ("code" in read) return read;
  try {
    const { id, outcomes } = await ingest.take(tenant, read.event, { via });
    const refused = outcomes.find(({ status }) => status === "REFUSED");
    if (!refused) return { receivedId: id };
    // The codes of outcomes are those of the table.
    return { code: (refused.code ?? "INTERNAL") as ErrorCode, reason: `${refused.workflowId}/${refused.triggerId}: ${refused.reason}` };
  } catch (error) {
    if (!(error instanceof SignalboxError) || error.retryable || error.code === "INTERNAL") throw error;
    return { code: error.code, reason: error.message };
  }
}

/**
 * The event of a message: a CloudEvent in structured form (the data is the whole event), in binary form (attributes `ce-*`), or plain
 * JSON with the attribute `type`, whose id is the message's and whose source is the topic unless attributes say otherwise.
 */
export function readEvent(message: EventMessage, maxBytes: number): { event: IncomingEvent } | Refusal {
  if (message.data.length > maxBytes) {
    return { code: "TOO_LARGE", reason: `The data has ${message.data.length} bytes, ${maxBytes} are allowed.` };
  }
  const data = readData(message);
  if ("code" in data) return data;
  const given = attributesOf(message, data.value);
  if ("code" in given) return given;
  const parsed = CloudEvent.safeParse(given.event);
  if (parsed.success) return { event: parsed.data };
  const [issue] = parsed.error.issues;
  return { code: "INVALID_INPUT", reason: `The event's ${issue?.path.join(".") || "content"}: ${issue?.message}.` };
}

function readData({ data }: EventMessage): { value: unknown } | Refusal {
  if (data.length === 0) return { value: null };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(data));
  } catch {
    return { code: "MALFORMED_JSON", reason: "The data is not JSON in UTF-8." };
  }
  const [issue] = jsonBoundIssues(value);
  return issue ? { code: "INVALID_INPUT", reason: issue.message } : { value };
}

function attributesOf({ id, attributes, publishedAt, origin }: EventMessage, data: unknown): { event: unknown } | Refusal {
  if (STRUCTURED.test(attributes["content-type"] ?? "") || isCloudEvent(data)) return { event: data };
  if (attributes["ce-specversion"] !== undefined) {
    const named = Object.entries(attributes).filter(([name]) => name.startsWith("ce-"));
    return { event: { ...Object.fromEntries(named.map(([name, value]) => [name.slice("ce-".length), value])), data } };
  }
  if (attributes["type"] === undefined)
    return { code: "INVALID_INPUT", reason: 'The message is no CloudEvent and has no attribute "type".' };
  const said = PLAIN.flatMap((name) => (attributes[name] === undefined ? [] : [[name, attributes[name]]]));
  return { event: { specversion: "1.0", id, source: origin, time: publishedAt, ...Object.fromEntries(said), data } };
}

function isCloudEvent(data: unknown): boolean {
  return typeof data === "object" && data !== null && "specversion" in data;
}
