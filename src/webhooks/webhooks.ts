import { randomUUID } from "node:crypto";
import type { WebhookAttempt, WebhookDelivery, WebhookStatus } from "../definition/webhook.ts";
import { notFound, SignalboxError } from "../errors.ts";
import type { HttpFetch } from "../outbound/http.ts";
import type { Clock } from "../ports/clock.ts";
import type { WebhookStore } from "../ports/webhook-store.ts";
import type { Traceparent } from "../relay/cloud-event.ts";
import { startDeliverer, type Deliverer, type DelivererOptions } from "./deliverer.ts";
import { createEndpointSecrets, type DerivationKey } from "./endpoint-secrets.ts";
import { createEndpoints, type Endpoints } from "./endpoints.ts";
import { createSender } from "./sender.ts";
import type { ReadSecret } from "./signature.ts";
import { createWebhookSink, type WebhookSink } from "./webhook.sink.ts";

/** Deliveries sent again by one call. */
const MAX_REDELIVERED = 1_000;
const PAGE = 100;

/** Outgoing webhooks: who gets them, what was delivered, and doing it again. */
export interface Webhooks {
  endpoints: Endpoints;
  sink: WebhookSink;
  /** Sends one event that is no execution's, now, and tells what came of it; the log does not have it. */
  test(tenant: string, endpointId: string): Promise<WebhookAttempt>;
  delivery(tenant: string, id: string): Promise<WebhookDelivery>;
  /** Tries a delivery again, whatever became of it, from the first pause on. CONFLICT while a try is under way. */
  redeliver(tenant: string, id: string): Promise<WebhookDelivery>;
  /** The same for the newest deliveries of an endpoint that fit; how many they are. */
  redeliverAll(
    tenant: string,
    endpointId: string,
    filter: { status: WebhookStatus; since?: string | undefined; dryRun: boolean },
  ): Promise<number>;
  /** Begins to deliver, in this process. */
  start(options: Pick<DelivererOptions, "everyMs" | "maxTries" | "disableAfterMs" | "onAttempt" | "log">): Deliverer;
}

export interface WebhooksOptions {
  store: WebhookStore;
  clock: Clock;
  fetch: HttpFetch;
  readSecret: ReadSecret;
  /** What new secrets are derived from, the first one, and old ones were; none: secrets are stored as they are. */
  keys?: readonly DerivationKey[] | undefined;
  traceparent: Traceparent;
}

export function createWebhooks({ store, clock, fetch, readSecret, keys = [], traceparent }: WebhooksOptions): Webhooks {
  const secrets = createEndpointSecrets({ keys, read: readSecret });
  const send = createSender({ fetch, readSecret: secrets.read, clock });
  let deliverer: Deliverer | undefined;
  const sink = createWebhookSink({ store, clock, traceparent, onDelivery: () => deliverer?.nudge() });
  const endpoints = createEndpoints({ store, clock, secrets, onChange: (tenant) => sink.forget(tenant) });

  async function delivery(tenant: string, id: string): Promise<WebhookDelivery> {
    const found = await store.delivery(tenant, id);
    if (!found) throw notFound("webhook delivery", id);
    return found;
  }

  async function again(present: WebhookDelivery): Promise<WebhookDelivery | undefined> {
    const next: WebhookDelivery = { ...present, status: "pending", tries: 0, nextAt: clock.now(), revision: present.revision + 1 };
    if (!(await store.putDelivery(next, present.revision))) return undefined;
    deliverer?.nudge();
    return next;
  }

  return {
    endpoints,
    sink,
    delivery,
    async test(tenant, endpointId) {
      const endpoint = await endpoints.get(tenant, endpointId);
      const id = randomUUID();
      const time = new Date(clock.now()).toISOString();
      const body = { specversion: "1.0", id, source: "/signalbox", type: "dev.signalbox.webhook.test", time, data: { endpointId } };
      const trace = `00-${id.replaceAll("-", "")}-${id.replaceAll("-", "").slice(0, 16)}-00`;
      return await send(endpoint, { id, body: JSON.stringify(body), traceparent: trace });
    },
    async redeliver(tenant, id) {
      const present = await delivery(tenant, id);
      await endpoints.get(tenant, present.endpointId);
      const next = await again(present);
      if (!next) throw new SignalboxError("CONFLICT", "A try of this delivery is under way.");
      return next;
    },
    async redeliverAll(tenant, endpointId, { status, since, dryRun }) {
      await endpoints.get(tenant, endpointId);
      let count = 0;
      let pageToken: string | undefined;
      do {
        const page = await store.deliveries(tenant, { endpointId, status, pageSize: PAGE, pageToken });
        for (const present of page.items) {
          if (since !== undefined && present.createdAt < since) return count;
          if (count >= MAX_REDELIVERED) return count;
          if (dryRun || (await again(present))) count += 1;
        }
        pageToken = page.nextPageToken;
      } while (pageToken !== undefined);
      return count;
    },
    start(options) {
      deliverer = startDeliverer({ store, endpoints, send, clock, ...options });
      return deliverer;
    },
  };
}
