import { randomUUID } from "node:crypto";
import { Timestamp, type DocumentData, type DocumentReference, type DocumentSnapshot, type Firestore } from "@google-cloud/firestore";
import type { WebhookDelivery, WebhookEndpoint } from "../../definition/webhook.ts";
import type { WebhookStore } from "../../ports/webhook-store.ts";
import type { Caller } from "./caller.ts";
import { packBody, readBody } from "./document-body.ts";
import { ALL_SHARDS, documentId, shardOf } from "./document-id.ts";
import { checkSize, commitOnce } from "./document-write.ts";
import { listPage } from "./list.ts";
import type { Places } from "./places.ts";
import { LISTS, QUERIES, queryOf } from "./queries.ts";
import { readDocument } from "./read-document.ts";

interface WebhooksOptions {
  firestore: Firestore;
  caller: Caller;
  places: Places;
}

const LARGEST_PAGE = 200;

export function createWebhooks({ firestore, caller: { call, settled }, places }: WebhooksOptions): WebhookStore {
  const endpointRef = (tenant: string, id: string) => places.webhooks(tenant).doc(documentId(id));
  const deliveryRef = (tenant: string, id: string) => places.deliveries(tenant).doc(documentId(id));

  /** Guarded by the revision that is read and by the time it was written. */
  async function put(ref: DocumentReference, value: { revision: number }, fields: DocumentData, basedOn: number | null): Promise<boolean> {
    const { body, bytes } = await packBody(value);
    const writeId = randomUUID();
    const data = { ...fields, revision: value.revision, writeId, ...body };
    checkSize([{ kind: "set", ref, data, bytes }]);
    return await settled({
      async attempt() {
        const found = await ref.get();
        // Ours, from an attempt whose answer was lost.
        if (found.exists && found.get("writeId") === writeId) return true;
        if (found.exists ? found.get("revision") !== basedOn : basedOn !== null) return false;
        await commitOnce(firestore, [
          found.updateTime ? { kind: "update", ref, data, bytes, ifUpdatedAt: found.updateTime } : { kind: "create", ref, data, bytes },
        ]);
        return true;
      },
      // The next attempt reads first and tells which it was.
      settle: async () => undefined,
    });
  }

  return {
    putEndpoint: async (endpoint, basedOn) =>
      await put(
        endpointRef(endpoint.tenant, endpoint.id),
        endpoint,
        { shard: shardOf(endpoint.id), createdAt: endpoint.createdAt },
        basedOn,
      ),
    async removeEndpoint(tenant, id) {
      const ref = endpointRef(tenant, id);
      const isThere = (await call(async () => await ref.get())).exists;
      if (isThere) await call(async () => await ref.delete());
      return isThere;
    },
    endpoint: async (tenant, id) => await readDocument(call, endpointRef(tenant, id), readEndpoint),
    async endpoints(tenant) {
      const { items } = await listPage(call, {
        list: LISTS.webhooks,
        collection: places.webhooks(tenant),
        filters: {},
        pageSize: LARGEST_PAGE,
        read: readEndpoint,
        cursorOf: ({ createdAt, id }) => ({ at: createdAt, id }),
      });
      return items;
    },
    async putDelivery(delivery, basedOn) {
      const { tenant, id, endpointId, status, createdAt, nextAt, expireAt } = delivery;
      const fields = { shard: shardOf(id), endpointId, status, createdAt, nextAt, expireAt: Timestamp.fromMillis(expireAt) };
      return await put(deliveryRef(tenant, id), delivery, fields, basedOn);
    },
    delivery: async (tenant, id) => await readDocument(call, deliveryRef(tenant, id), readDelivery),
    deliveries: async (tenant, { endpointId, status, pageSize, pageToken }) =>
      await listPage(call, {
        list: LISTS.deliveries,
        collection: places.deliveries(tenant),
        filters: { endpointId, status },
        pageSize,
        pageToken,
        read: readDelivery,
        cursorOf: ({ createdAt, id }) => ({ at: createdAt, id }),
      }),
    async due(before, limit) {
      const query = queryOf(QUERIES.deliveriesDue, firestore, { values: [ALL_SHARDS, before], limit });
      const { docs } = await call(async () => await query.get());
      return await Promise.all(docs.map(readDelivery));
    },
  };
}

async function readEndpoint(snapshot: DocumentSnapshot): Promise<WebhookEndpoint> {
  return (await readBody(snapshot)) as WebhookEndpoint; // what `put` packed
}

async function readDelivery(snapshot: DocumentSnapshot): Promise<WebhookDelivery> {
  return (await readBody(snapshot)) as WebhookDelivery; // what `put` packed
}
