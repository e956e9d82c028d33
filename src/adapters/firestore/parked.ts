import { randomUUID } from "node:crypto";
import { Timestamp, type DocumentSnapshot } from "@google-cloud/firestore";
import type { ParkedEvent } from "../../definition/received-event.ts";
import type { ParkedEventStore } from "../../ports/inbound-store.ts";
import { createOnce } from "./create-once.ts";
import { packBody, readBody } from "./document-body.ts";
import { documentId, shardOf } from "./document-id.ts";
import { commitOnce } from "./document-write.ts";
import { listPage } from "./list.ts";
import { LISTS } from "./queries.ts";
import { readDocument } from "./read-document.ts";
import type { InboundOptions } from "./received.ts";

/** Messages that could not be taken as events. Status and who settled it lie beside the packed rest. */
export function createParked({ firestore, caller, places, clock }: InboundOptions): ParkedEventStore {
  const { call, settled } = caller;
  const refOf = (tenant: string, id: string) => places.parked(tenant).doc(documentId(id));

  async function read(snapshot: DocumentSnapshot): Promise<ParkedEvent | undefined> {
    const parked = (await readBody(snapshot)) as ParkedEvent; // what `add` packed
    if (parked.expireAt <= clock.now()) return undefined;
    const by: unknown = snapshot.get("settled");
    return {
      ...parked,
      status: snapshot.get("status") as ParkedEvent["status"], // written from that type only
      settled: by === null ? null : ((await readBody(snapshot, "settled")) as ParkedEvent["settled"]), // likewise
    };
  }

  return {
    async add(parked) {
      const { tenant, id, code, status, parkedAt, expireAt } = parked;
      const { body, bytes } = await packBody(parked);
      const document = {
        kind: "create" as const,
        ref: refOf(tenant, id),
        data: { shard: shardOf(id), code, status, parkedAt, expireAt: Timestamp.fromMillis(expireAt), settled: null, ...body },
        bytes,
      };
      return await createOnce({ firestore, caller }, document);
    },

    get: async (tenant, id) => await readDocument(call, refOf(tenant, id), read),

    list: async (tenant, { status, code, pageSize, pageToken }) =>
      await listPage(call, {
        list: LISTS.parked,
        collection: places.parked(tenant),
        filters: { status, code },
        pageSize,
        pageToken,
        read,
        cursorOf: ({ parkedAt, id }) => ({ at: parkedAt, id }),
      }),

    async settle(tenant, id, status, by) {
      const ref = refOf(tenant, id);
      const settleId = randomUUID();
      const { body } = await packBody(by);
      return await settled({
        async attempt() {
          const found = await ref.get();
          // Ours, from an attempt whose answer was lost.
          if (found.exists && found.get("settleId") === settleId) return true;
          if (!found.updateTime || found.get("status") !== "PARKED") return false;
          await commitOnce(firestore, [
            { kind: "update", ref, data: { status, settled: body.d, settleId }, bytes: 0, ifUpdatedAt: found.updateTime },
          ]);
          return true;
        },
        // The next attempt reads first and tells which it was.
        settle: async () => undefined,
      });
    },
  };
}
