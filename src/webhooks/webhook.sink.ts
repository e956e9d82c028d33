import { createHash } from "node:crypto";
import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution } from "../definition/execution.ts";
import { parseExpression } from "../definition/expression.ts";
import type { WebhookDelivery, WebhookEndpoint } from "../definition/webhook.ts";
import type { Clock } from "../ports/clock.ts";
import type { WebhookStore } from "../ports/webhook-store.ts";
import { cloudEventOf, type OutgoingEvent, type Traceparent } from "../relay/cloud-event.ts";
import type { EventSink } from "../relay/sink.ts";

/** How old what is known of other processes' endpoints may be, milliseconds. */
const FRESH_MS = 5_000;
const MAX_TENANTS = 1_000;
/** Larger data is left out, and can be read from the history. */
const MAX_DATA_BYTES = 256 * 1_024;
/** How long the log keeps a delivery, milliseconds. */
const KEPT_MS = 30 * 86_400_000;

export interface WebhookSink extends EventSink {
  /** Told of a write of endpoints. */
  forget(tenant: string): void;
}

interface WebhookSinkOptions {
  store: WebhookStore;
  clock: Clock;
  traceparent: Traceparent;
  /** There is something to deliver. */
  onDelivery(): void;
}

/** Events to the log of deliveries, once for each endpoint that wants them; sending is another's work. */
export function createWebhookSink({ store, clock, traceparent, onDelivery }: WebhookSinkOptions): WebhookSink {
  const known = new Map<string, { since: number; endpoints: Promise<WebhookEndpoint[]> }>();

  async function endpointsOf(tenant: string): Promise<WebhookEndpoint[]> {
    const present = known.get(tenant);
    if (present && clock.now() - present.since < FRESH_MS) return await present.endpoints;
    const entry = { since: clock.now(), endpoints: store.endpoints(tenant) };
    known.delete(tenant);
    known.set(tenant, entry);
    const [oldest] = known.keys();
    if (known.size > MAX_TENANTS && oldest !== undefined) known.delete(oldest);
    try {
      return await entry.endpoints;
    } catch (error) {
      if (known.get(tenant) === entry) known.delete(tenant);
      throw error;
    }
  }

  async function wanting(execution: Execution, event: ExecutionEvent, type: string): Promise<WebhookEndpoint[]> {
    const endpoints = await endpointsOf(execution.tenant);
    return endpoints.filter(
      ({ enabled, createdAt, eventTypes, workflowIds }) =>
        enabled &&
        event.at >= createdAt &&
        (workflowIds?.includes(execution.workflowId) ?? true) &&
        eventTypes.some((pattern) => fits(pattern, type)),
    );
  }

  return {
    name: "webhooks",
    forget: (tenant) => void known.delete(tenant),
    async wants(execution, event) {
      if ((await endpointsOf(execution.tenant)).length === 0) return false;
      return (await wanting(execution, event, cloudEventOf(execution, event, traceparent).type)).length > 0;
    },
    async take(execution, events) {
      for (const event of events) {
        const outgoing = bounded(cloudEventOf(execution, event, traceparent));
        for (const endpoint of await wanting(execution, event, outgoing.type)) {
          if (!isTrue(endpoint, outgoing)) continue;
          if (await store.putDelivery(deliveryOf(endpoint, execution, outgoing, clock.now()), null)) onDelivery();
        }
      }
    },
  };
}

/** Whether the type is one the pattern means; `*` stands for any characters. */
function fits(pattern: string, type: string): boolean {
  if (pattern === "*" || pattern === type) return true;
  const [head = "", ...rest] = pattern.split("*");
  if (rest.length === 0 || !type.startsWith(head)) return false;
  let at = head.length;
  const tail = rest.pop() ?? "";
  for (const part of rest) {
    const found = type.indexOf(part, at);
    if (found < 0) return false;
    at = found + part.length;
  }
  return type.length - tail.length >= at && type.endsWith(tail);
}

/** A condition that cannot be evaluated for an event is not true. */
function isTrue({ condition }: WebhookEndpoint, { traceparent: _trace, ...event }: OutgoingEvent): boolean {
  if (condition === null) return true;
  try {
    return parseExpression(condition).evaluate({ event }) === true;
  } catch {
    return false;
  }
}

function bounded(event: OutgoingEvent): OutgoingEvent {
  const bytes = Buffer.byteLength(JSON.stringify(event.data));
  return bytes <= MAX_DATA_BYTES ? event : { ...event, data: { seq: event.seq, isOmitted: true, bytes } };
}

function deliveryOf(
  endpoint: WebhookEndpoint,
  { id: executionId, workflowId }: Execution,
  event: OutgoingEvent,
  now: number,
): WebhookDelivery {
  const { tenant, id: endpointId } = endpoint;
  return {
    id: createHash("sha256")
      .update(JSON.stringify([tenant, endpointId, event.source, event.id]))
      .digest("hex")
      .slice(0, 40),
    tenant,
    endpointId,
    eventId: event.id,
    eventType: event.type,
    executionId,
    workflowId,
    body: JSON.stringify(event),
    traceparent: event.traceparent,
    status: "pending",
    attempts: [],
    attemptCount: 0,
    tries: 0,
    nextAt: now,
    createdAt: new Date(now).toISOString(),
    revision: 1,
    expireAt: now + KEPT_MS,
  };
}
