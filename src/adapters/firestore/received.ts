import { Timestamp, type DocumentSnapshot, type Firestore } from "@google-cloud/firestore";
import { outcomeOfResult, topicOf, type EventResult, type ReceivedEvent } from "../../definition/received-event.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ReceivedEventStore } from "../../ports/inbound-store.ts";
import type { Caller } from "./caller.ts";
import { createOnce } from "./create-once.ts";
import { packBody, readBody } from "./document-body.ts";
import { ALL_SHARDS, documentId, shardOf } from "./document-id.ts";
import { CODE, isStatus } from "./failure.ts";
import { listPage } from "./list.ts";
import type { Places } from "./places.ts";
import { LISTS, QUERIES, queryOf } from "./queries.ts";
import { readDocument } from "./read-document.ts";

export interface InboundOptions {
  firestore: Firestore;
  caller: Caller;
  places: Places;
  clock: Clock;
}

/** Events that came in: one document each, whose result lies beside the packed rest, as it changes alone. */
export function createReceived({ firestore, caller, places, clock }: InboundOptions): ReceivedEventStore {
  const { call } = caller;
  const refOf = (tenant: string, id: string) => places.received(tenant).doc(documentId(id));

  async function read(snapshot: DocumentSnapshot): Promise<ReceivedEvent | undefined> {
    const rest = (await readBody(snapshot)) as Omit<ReceivedEvent, "result">; // what `add` packed
    // Firestore deletes within a day of the time, not at it.
    if (rest.expireAt <= clock.now()) return undefined;
    return { ...rest, result: (await readBody(snapshot, "result")) as EventResult }; // likewise
  }

  return {
    async add({ result, ...rest }) {
      const { event, tenant, id } = rest;
      const [{ body, bytes }, packed] = await Promise.all([packBody(rest), packBody(result)]);
      const document = {
        kind: "create" as const,
        ref: refOf(tenant, id),
        data: {
          shard: shardOf(id),
          type: event.type,
          source: event.source,
          eventId: event.id,
          // Not there at all without a subject: such events take no place in the index of subjects.
          ...(event.subject !== undefined && { subjectTopic: topicOf(event.type, event.subject) }),
          outcome: outcomeOfResult(result),
          receivedAt: rest.receivedAt,
          expireAt: Timestamp.fromMillis(rest.expireAt),
          result: packed.body.d,
          ...body,
        },
        bytes: bytes + packed.bytes,
      };
      return await createOnce({ firestore, caller }, document);
    },

    async setResult(tenant, id, result) {
      const { body } = await packBody(result);
      try {
        await call(async () => await refOf(tenant, id).update({ outcome: outcomeOfResult(result), result: body.d }));
      } catch (error) {
        if (!isStatus((error as { cause?: unknown }).cause, CODE.NOT_FOUND)) throw error; // expired meanwhile
      }
    },

    get: async (tenant, id) => await readDocument(call, refOf(tenant, id), read),

    list: async (tenant, { type, source, eventId, outcome, since, until, pageSize, pageToken }) =>
      await listPage(call, {
        list: LISTS.received,
        collection: places.received(tenant),
        filters: { type, source, eventId, outcome },
        range: { since, until },
        pageSize,
        pageToken,
        read,
        cursorOf: ({ receivedAt, id }) => ({ at: receivedAt, id }),
      }),

    async since(tenant, { type, subject }, { since, after, limit }) {
      const query =
        subject === undefined
          ? { shape: QUERIES.receivedOfType, values: [ALL_SHARDS, type, since] }
          : { shape: QUERIES.receivedOfSubject, values: [ALL_SHARDS, topicOf(type, subject), since] };
      const startAfter = after && [after.at, documentId(after.id)];
      const { docs } = await call(
        async () => await queryOf(query.shape, places.received(tenant), { values: query.values, limit, startAfter }).get(),
      );
      return (await Promise.all(docs.map(read))).filter((event) => event !== undefined);
    },
  };
}
