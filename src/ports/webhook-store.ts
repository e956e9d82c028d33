import type { Page } from "../definition/page.ts";
import type { WebhookDelivery, WebhookEndpoint, WebhookStatus } from "../definition/webhook.ts";

/** Who gets events by webhook, and the log of what was delivered. */
export interface WebhookStore {
  /** Writes an endpoint where the stored one has this revision (null: none is there); false where it has not. */
  putEndpoint(endpoint: WebhookEndpoint, basedOnRevision: number | null): Promise<boolean>;
  removeEndpoint(tenant: string, id: string): Promise<boolean>;
  endpoint(tenant: string, id: string): Promise<WebhookEndpoint | undefined>;
  /** All of a tenant, newest first. */
  endpoints(tenant: string): Promise<WebhookEndpoint[]>;
  /** Writes a delivery where the stored one has this revision (null: none is there); false, and nothing written, where it has not. */
  putDelivery(delivery: WebhookDelivery, basedOnRevision: number | null): Promise<boolean>;
  delivery(tenant: string, id: string): Promise<WebhookDelivery | undefined>;
  deliveries(tenant: string, query: WebhookDeliveryQuery): Promise<Page<WebhookDelivery>>;
  /** Deliveries with `nextAt <= before`, earliest first, over all tenants. */
  due(before: number, limit: number): Promise<WebhookDelivery[]>;
}

export interface WebhookDeliveryQuery {
  endpointId?: string | undefined;
  status?: WebhookStatus | undefined;
  pageSize: number;
  pageToken?: string | undefined;
}
