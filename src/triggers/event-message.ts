import { jsonBoundIssues } from "../definition/json-bounds.ts";
import type { EventMessage, EventVerdict } from "../ports/event-feed.ts";
import { CloudEvent, type IncomingEvent } from "./event.ts";
import type { TriggerManager } from "./manager.ts";

const STRUCTURED = /^application\/cloudevents\+json\b/i;
/** Attributes of a plain message that say something about its event. */
const PLAIN = ["id", "source", "type", "subject", "time"] as const;

export interface MessageHandlerOptions {
  triggers: TriggerManager;
  /** Whose triggers the messages are for. */
  tenant: string;
  /** Longest data of a message, bytes. */
  maxBytes: number;
}

/**
 * Turns messages into events and hands them to the triggers; resolves when what they start is durable. Not taken is what can never be:
 * no event, or an event that a trigger refuses (handing it in again later starts only what has not started yet). Rejects with what may
 * pass.
 */
export function createMessageHandler({ triggers, tenant, maxBytes }: MessageHandlerOptions) {
  return async (message: EventMessage): Promise<EventVerdict> => {
    const read = readEvent(message, maxBytes);
    if ("reason" in read) return { taken: false, reason: read.reason };
    const { outcomes } = await triggers.dispatch(tenant, read.event);
    const refused = outcomes.find(({ status }) => status === "REFUSED");
    if (!refused) return { taken: true };
    return { taken: false, reason: `${refused.workflowId}/${refused.triggerId}: ${refused.code}: ${refused.reason}` };
  };
}

/**
 * The event of a message: a CloudEvent in structured form (the data is the whole event), in binary form (attributes `ce-*`), or plain
 * JSON with the attribute `type`, whose id is the message's and whose source is the topic unless attributes say otherwise.
 */
export function readEvent(message: EventMessage, maxBytes: number): { event: IncomingEvent } | { reason: string } {
  if (message.data.length > maxBytes) return { reason: `TOO_LARGE: the data has ${message.data.length} bytes, ${maxBytes} are allowed` };
  const data = readJson(message.data);
  if ("reason" in data) return data;
  const given = attributesOf(message, data.value);
  if ("reason" in given) return given;
  const parsed = CloudEvent.safeParse(given.event);
  if (parsed.success) return { event: parsed.data };
  const [issue] = parsed.error.issues;
  return { reason: `INVALID_INPUT: the event's ${issue?.path.join(".") || "content"}: ${issue?.message}` };
}

function readJson(bytes: Uint8Array): { value: unknown } | { reason: string } {
  if (bytes.length === 0) return { value: null };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
  } catch {
    return { reason: "MALFORMED_JSON: the data is not JSON in UTF-8" };
  }
  const [issue] = jsonBoundIssues(value);
  return issue ? { reason: `${issue.code}: ${issue.message}` } : { value };
}

function attributesOf({ id, attributes, publishedAt, origin }: EventMessage, data: unknown): { event: unknown } | { reason: string } {
  if (STRUCTURED.test(attributes["content-type"] ?? "") || isCloudEvent(data)) return { event: data };
  if (attributes["ce-specversion"] !== undefined) {
    const named = Object.entries(attributes).filter(([name]) => name.startsWith("ce-"));
    return { event: { ...Object.fromEntries(named.map(([name, value]) => [name.slice("ce-".length), value])), data } };
  }
  if (attributes["type"] === undefined) return { reason: 'INVALID_INPUT: the message is no CloudEvent and has no attribute "type"' };
  const said = PLAIN.flatMap((name) => (attributes[name] === undefined ? [] : [[name, attributes[name]]]));
  return { event: { specversion: "1.0", id, source: origin, time: publishedAt, ...Object.fromEntries(said), data } };
}

function isCloudEvent(data: unknown): boolean {
  return typeof data === "object" && data !== null && "specversion" in data;
}
