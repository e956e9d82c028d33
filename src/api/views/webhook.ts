import { z } from "zod";
import { JsonValue, type Json } from "../../definition/json.ts";
import { WebhookAttempt, WebhookStatus, type WebhookDelivery, type WebhookEndpoint } from "../../definition/webhook.ts";
import type { WithSecret } from "../../webhooks/endpoints.ts";

/** An endpoint without its secrets. */
export const EndpointView = z
  .object({
    id: z.string(),
    url: z.string(),
    description: z.string(),
    eventTypes: z.array(z.string()),
    workflowIds: z.array(z.string()).nullable(),
    condition: z.string().nullable(),
    enabled: z.boolean(),
    disabledReason: z.string().nullable().describe("Why the service disabled it"),
    failingSince: z.string().nullable().describe("Since when nothing was delivered"),
    secrets: z.number().int().describe("How many secrets sign; two while one replaces the other"),
    createdAt: z.string(),
    updatedAt: z.string(),
  })
  .meta({ id: "WebhookEndpoint" });
export type EndpointView = z.infer<typeof EndpointView>;

export const EndpointSecretView = z
  .object({ endpoint: EndpointView, secret: z.string().nullable().describe("Shown this once; null where it is a reference") })
  .meta({ id: "WebhookEndpointSecret" });
export type EndpointSecretView = z.infer<typeof EndpointSecretView>;

export const DeliveryView = z
  .object({
    id: z.string().describe("`webhook-id` of the requests"),
    endpointId: z.string(),
    eventId: z.string(),
    eventType: z.string(),
    executionId: z.string(),
    workflowId: z.string(),
    status: WebhookStatus,
    attempts: z.array(WebhookAttempt).describe("The newest twenty"),
    attemptCount: z.number().int(),
    nextAt: z.string().nullable().describe("When it is tried again"),
    createdAt: z.string(),
    event: JsonValue.describe("The CloudEvent that is sent"),
  })
  .meta({ id: "WebhookDelivery" });
export type DeliveryView = z.infer<typeof DeliveryView>;

export function endpointView(endpoint: WebhookEndpoint): EndpointView {
  const { tenant: _tenant, revision: _revision, secrets, ...shown } = endpoint;
  return { ...shown, secrets: secrets.length };
}

export function endpointSecretView({ endpoint, secret }: WithSecret): EndpointSecretView {
  return { endpoint: endpointView(endpoint), secret };
}

export function deliveryView(delivery: WebhookDelivery): DeliveryView {
  const { id, endpointId, eventId, eventType, executionId, workflowId, status, attempts, attemptCount, nextAt, createdAt, body } = delivery;
  const next = nextAt === null ? null : new Date(nextAt).toISOString();
  const event = JSON.parse(body) as Json; // written as JSON by the sink
  return { id, endpointId, eventId, eventType, executionId, workflowId, status, attempts, attemptCount, nextAt: next, createdAt, event };
}
