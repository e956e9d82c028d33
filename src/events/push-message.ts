import { createHash } from "node:crypto";
import { z } from "zod";
import type { EventMessage } from "../ports/event-feed.ts";

/** The event Eventarc wraps a message of Pub/Sub in. */
const PUBLISHED = "google.cloud.pubsub.topic.v1.messagePublished";
const STRUCTURED = /^application\/cloudevents\+json\b/i;
const FIRESTORE_CHANGE = /^google\.cloud\.firestore\.document\.v1\./;
/** Headers that carry what a plain message says about its event, where a subscription pushes without a wrapper. */
const PLAIN = ["id", "source", "type", "subject", "time", "content-type"];

const text = z.union([z.string(), z.number()]).transform(String);
/** Pub/Sub sends ids and times in both spellings. */
const Wrapped = z.object({
  message: z.object({
    data: z.string().optional(),
    attributes: z.record(z.string(), z.string()).nullish(),
    messageId: text.optional(),
    message_id: text.optional(),
    publishTime: z.string().optional(),
    publish_time: z.string().optional(),
  }),
  subscription: z.string().optional(),
});

/** A request as it came. */
export interface PushedRequest {
  /** Names in lowercase. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Uint8Array;
}

/**
 * The message of a push, in whichever form: Pub/Sub's wrapper, the same as a CloudEvent of Eventarc (binary or structured), a CloudEvent
 * of another source, or the bare data with its attributes as headers. Never fails: what is none of these is a message that cannot be
 * taken, with the body as its data, so that it is kept as it came.
 */
export async function readPush({ headers, body }: PushedRequest, now: string): Promise<EventMessage> {
  const header = (name: string): string | undefined => {
    const value = headers[name];
    return typeof value === "string" ? value : undefined;
  };
  const contentType = header("content-type") ?? "";
  if (STRUCTURED.test(contentType)) return structured(body, now);
  if (header("ce-specversion") !== undefined) return await binary(headers, body, now);
  const messageId = header("x-goog-pubsub-message-id");
  if (messageId !== undefined) {
    return {
      id: messageId,
      data: body,
      attributes: picked(headers, (name) => PLAIN.includes(name)),
      publishedAt: isoOr(header("x-goog-pubsub-publish-time"), now),
      origin: originOf(header("x-goog-pubsub-subscription-name")),
    };
  }
  return unwrapped(jsonOf(body), now) ?? asItCame(body, now);
}

function structured(body: Uint8Array, now: string): EventMessage {
  const event = jsonOf(body);
  const { type, data, source } =
    z.object({ type: z.string(), data: z.unknown(), source: z.string() }).partial().safeParse(event).data ?? {};
  const inner = type === PUBLISHED ? unwrapped(data, now, source) : undefined;
  return inner ?? { ...asItCame(body, now), attributes: { "content-type": "application/cloudevents+json" } };
}

async function binary(headers: PushedRequest["headers"], body: Uint8Array, now: string): Promise<EventMessage> {
  // Header values are percent-encoded where they must be; what only looks like it is taken as it is.
  const attributes = picked(headers, (name) => name.startsWith("ce-") || name === "content-type", decoded);
  const { "ce-type": type = "", "ce-source": source, "ce-id": id = "", "ce-time": time, "content-type": contentType = "" } = attributes;
  if (type === PUBLISHED) return unwrapped(jsonOf(body), now, source) ?? asItCame(body, now);
  const data = isFirestoreChange(type, contentType) ? (await import("./firestore-change.ts")).decodeFirestoreChange(body) : body;
  const { "content-type": _, ...own } = attributes;
  return { id, data, attributes: own, publishedAt: isoOr(time, now), origin: source ?? "/push" };
}

/** True for a change of a Firestore document in Eventarc's default encoding. */
export function isFirestoreChange(type: string, contentType: string): boolean {
  return FIRESTORE_CHANGE.test(type) && /^application\/(x-)?protobuf\b/i.test(contentType);
}

function unwrapped(body: unknown, now: string, topic?: string): EventMessage | undefined {
  const parsed = Wrapped.safeParse(body);
  if (!parsed.success) return undefined;
  const { message, subscription } = parsed.data;
  return {
    id: message.messageId ?? message.message_id ?? "",
    data: Buffer.from(message.data ?? "", "base64"),
    attributes: message.attributes ?? {},
    publishedAt: isoOr(message.publishTime ?? message.publish_time, now),
    origin: topic ?? originOf(subscription),
  };
}

function asItCame(body: Uint8Array, now: string): EventMessage {
  const id = createHash("sha256").update(body).digest("base64url");
  return { id, data: body, attributes: {}, publishedAt: now, origin: "/push" };
}

function picked(
  headers: PushedRequest["headers"],
  isWanted: (name: string) => boolean,
  read: (value: string) => string = (value) => value,
): Record<string, string> {
  const entries = Object.entries(headers).flatMap(([name, value]) =>
    typeof value === "string" && isWanted(name) ? [[name, read(value)] as const] : [],
  );
  return Object.fromEntries(entries);
}

function originOf(subscription: string | undefined): string {
  return subscription === undefined ? "/push" : `//pubsub.googleapis.com/${subscription}`;
}

function isoOr(time: string | undefined, now: string): string {
  const at = Date.parse(time ?? "");
  return Number.isNaN(at) ? now : new Date(at).toISOString();
}

function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  } catch {
    return undefined;
  }
}
