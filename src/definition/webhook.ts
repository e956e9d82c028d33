import { z } from "zod";

/** Who gets events by signed HTTP requests (Standard Webhooks). */
export interface WebhookEndpoint {
  id: string;
  tenant: string;
  url: string;
  description: string;
  /** Event types it wants; `*` stands for any characters. */
  eventTypes: string[];
  /** Workflows it wants events of; null: all. */
  workflowIds: string[] | null;
  /** CEL over `event`. */
  condition: string | null;
  enabled: boolean;
  /** Why the service disabled it. */
  disabledReason: string | null;
  /** `whsec_…`, what it is derived by (`derived:`), or a reference (`env:`, `file:`); each signs, two while one replaces the other. */
  secrets: string[];
  /** Since when nothing was delivered, RFC 3339. */
  failingSince: string | null;
  revision: number;
  createdAt: string;
  updatedAt: string;
}

/** One try to deliver. */
export const WebhookAttempt = z
  .object({
    at: z.string().describe("RFC 3339"),
    status: z.number().int().nullable().describe("HTTP status; null where there was no answer"),
    latencyMs: z.number(),
    error: z.string().nullable(),
    response: z.string().nullable().describe("Beginning of the answer's body"),
  })
  .meta({ id: "WebhookAttempt" });
export type WebhookAttempt = z.infer<typeof WebhookAttempt>;

export const WebhookStatus = z.enum(["pending", "delivered", "failed"]).meta({ id: "WebhookStatus" });
export type WebhookStatus = z.infer<typeof WebhookStatus>;

/** An event for an endpoint, with what became of it. Times are epoch milliseconds unless they say otherwise. */
export interface WebhookDelivery {
  /** Digest of endpoint and event: the same event is delivered to an endpoint once. */
  id: string;
  tenant: string;
  endpointId: string;
  eventId: string;
  eventType: string;
  executionId: string;
  workflowId: string;
  /** The request's body, the same bytes on every try. */
  body: string;
  traceparent: string;
  status: WebhookStatus;
  /** The newest ones. */
  attempts: WebhookAttempt[];
  attemptCount: number;
  /** Tries since it was created or redelivered. */
  tries: number;
  /** When somebody should try; null: never. */
  nextAt: number | null;
  /** RFC 3339. */
  createdAt: string;
  revision: number;
  expireAt: number;
}
