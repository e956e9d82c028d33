import type { DocumentSnapshot } from "@google-cloud/firestore";
import type { EventType } from "../../definition/received-event.ts";
import type { EventTypeStore } from "../../ports/inbound-store.ts";
import type { Caller } from "./caller.ts";
import { packBody, readBody } from "./document-body.ts";
import { documentId, shardOf } from "./document-id.ts";
import { checkSize } from "./document-write.ts";
import { listPage } from "./list.ts";
import type { Places } from "./places.ts";
import { LISTS } from "./queries.ts";
import { readDocument } from "./read-document.ts";

export function createEventTypes({ caller: { call }, places }: { caller: Caller; places: Places }): EventTypeStore {
  const refOf = (tenant: string, type: string) => places.eventTypes(tenant).doc(documentId(type));

  const get = async (tenant: string, type: string) => await readDocument(call, refOf(tenant, type), readType);

  return {
    get,
    async put(tenant, given) {
      const ref = refOf(tenant, given.type);
      const present = await get(tenant, given.type);
      const type = { ...given, createdAt: present?.createdAt ?? given.createdAt };
      const { body, bytes } = await packBody(type);
      const data = { shard: shardOf(type.type), createdAt: type.createdAt, ...body };
      checkSize([{ kind: "set", ref, data, bytes }]);
      // The whole document: written twice it is the same.
      await call(async () => await ref.set(data));
      return type;
    },
    list: async (tenant, { pageSize, pageToken }) =>
      await listPage(call, {
        list: LISTS.eventTypes,
        collection: places.eventTypes(tenant),
        filters: {},
        pageSize,
        pageToken,
        read: readType,
        cursorOf: ({ createdAt, type }) => ({ at: createdAt, id: type }),
      }),
    async remove(tenant, type) {
      const isThere = (await get(tenant, type)) !== undefined;
      if (isThere) await call(async () => await refOf(tenant, type).delete());
      return isThere;
    },
  };
}

async function readType(snapshot: DocumentSnapshot): Promise<EventType> {
  return (await readBody(snapshot)) as EventType; // what `put` packed
}
