import { FieldValue, Timestamp, type DocumentSnapshot, type Firestore } from "@google-cloud/firestore";
import type { InboxMessage } from "../../definition/execution.ts";
import type { InboxStore } from "../../ports/store.ts";
import type { Caller } from "./caller.ts";
import { createOnce } from "./create-once.ts";
import { packBody, readBody } from "./document-body.ts";
import { ALL_SHARDS, documentId, shardOf } from "./document-id.ts";
import type { DocumentWrite } from "./document-write.ts";
import type { MailWatch } from "./mail-watch.ts";
import type { Places } from "./places.ts";
import { QUERIES, queryOf } from "./queries.ts";

const KEPT_MS = 90 * 86_400_000;

interface InboxOptions {
  firestore: Firestore;
  caller: Caller;
  places: Places;
  mail: MailWatch;
}

export function createInbox({ firestore, caller, places, mail }: InboxOptions): InboxStore {
  const { call } = caller;
  return {
    async send(message) {
      const document = await messageDocument(places, message, mail.sender);
      const sent = await createOnce({ firestore, caller }, document);
      if (sent) mail.tell(message);
      return sent;
    },

    async list(tenant, executionId) {
      const { docs } = await call(async () => await queryOf(QUERIES.mailOf, places.inbox(tenant, executionId), { values: [] }).get());
      const messages = await Promise.all(docs.map(readMessage));
      return messages.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.id < b.id ? -1 : 1));
    },

    async waiting(sentBefore, limit) {
      const query = queryOf(QUERIES.mailWaiting, firestore, { values: [ALL_SHARDS, sentBefore], limit });
      const { docs } = await call(async () => await query.select("tenant", "executionId").get());
      const refs = docs.map((snapshot) => ({ tenant: String(snapshot.get("tenant")), id: String(snapshot.get("executionId")) }));
      return [...new Map(refs.map((ref) => [JSON.stringify([ref.tenant, ref.id]), ref])).values()];
    },

    watch: (tenant, executionId, onChange) => mail.watch(tenant, executionId, onChange),
    watchAll: (onChange) => mail.watchAll(onChange),
  };
}

/** A message, refused where one with its id exists. */
export async function messageDocument(
  places: Places,
  message: InboxMessage,
  sender: string,
): Promise<Extract<DocumentWrite, { kind: "create" | "set" }>> {
  const { id, tenant, executionId, at } = message;
  const { body, bytes } = await packBody(message);
  const data = {
    tenant,
    executionId,
    shard: shardOf(executionId),
    atMs: Date.parse(at),
    // The server's time: watchers ask for what came since they look, whatever the sender's clock says.
    sentAt: FieldValue.serverTimestamp(),
    // The TTL policy on this field takes away what nobody took in: mail for executions that ended.
    expireAt: Timestamp.fromMillis(Date.parse(at) + KEPT_MS),
    sender,
    ...body,
  };
  return { kind: "create", ref: places.inbox(tenant, executionId).doc(documentId(id)), data, bytes };
}

async function readMessage(snapshot: DocumentSnapshot): Promise<InboxMessage> {
  return (await readBody(snapshot)) as InboxMessage; // what `messageDocument` packed
}
