import type { WebhookDelivery, WebhookEndpoint } from "../../definition/webhook.ts";
import type { Clock } from "../../ports/clock.ts";
import type { WebhookStore } from "../../ports/webhook-store.ts";
import type { Connection } from "./connection.ts";
import { readPage } from "./page-query.ts";

export function sqliteWebhooks({ read, write }: Connection, clock: Clock): WebhookStore {
  return {
    async putEndpoint(endpoint, basedOn) {
      const { tenant, id, revision, createdAt } = endpoint;
      return await write("putEndpoint", { row: { tenant, id, revision, createdAt, doc: JSON.stringify(endpoint) }, basedOn });
    },
    removeEndpoint: (tenant, id) => write("removeEndpoint", { tenant, id }),
    endpoint: (tenant, id) =>
      read((database) => {
        const row = database.get<Doc>("SELECT doc FROM webhook_endpoints WHERE tenant = ? AND id = ?", [tenant, id]);
        return row && endpointOf(row);
      }),
    endpoints: (tenant) =>
      read((database) =>
        database.all<Doc>("SELECT doc FROM webhook_endpoints WHERE tenant = ? ORDER BY created_at DESC, id DESC", [tenant]).map(endpointOf),
      ),
    async putDelivery(delivery, basedOn) {
      const { tenant, id, endpointId, status, revision, createdAt, nextAt, expireAt } = delivery;
      const row = { tenant, id, endpointId, status, revision, createdAt, nextAt, expireAt, doc: JSON.stringify(delivery) };
      return await write("putDelivery", { row, basedOn, now: clock.now() });
    },
    delivery: (tenant, id) =>
      read((database) => {
        const row = database.get<Doc>("SELECT doc FROM webhook_deliveries WHERE tenant = ? AND id = ?", [tenant, id]);
        return row && deliveryOf(row);
      }),
    deliveries: (tenant, { endpointId, status, pageSize, pageToken }) =>
      read((database) =>
        readPage(
          database,
          {
            table: "webhook_deliveries",
            columns: "doc",
            time: "created_at",
            equal: { tenant, endpoint_id: endpointId, status },
            pageSize,
            pageToken,
          },
          deliveryOf,
        ),
      ),
    due: (before, limit) =>
      read((database) =>
        database
          .all<Doc>("SELECT doc FROM webhook_deliveries WHERE next_at <= ? ORDER BY next_at LIMIT ?", [before, limit])
          .map(deliveryOf),
      ),
  };
}

interface Doc {
  doc: string;
}

const endpointOf = ({ doc }: Doc): WebhookEndpoint => JSON.parse(doc) as WebhookEndpoint; // written by `putEndpoint`
const deliveryOf = ({ doc }: Doc): WebhookDelivery => JSON.parse(doc) as WebhookDelivery; // written by `putDelivery`
