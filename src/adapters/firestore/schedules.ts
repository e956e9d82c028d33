import { randomUUID } from "node:crypto";
import type { DocumentSnapshot, Firestore } from "@google-cloud/firestore";
import type { ScheduleCursor, ScheduleStore } from "../../ports/schedules.ts";
import type { Caller } from "./caller.ts";
import { packBody, readBody } from "./document-body.ts";
import { ALL_SHARDS, shardOf } from "./document-id.ts";
import { checkSize, commitOnce } from "./document-write.ts";
import type { Places } from "./places.ts";
import { QUERIES, queryOf } from "./queries.ts";

/** Its time is Firestore's: every read says when the server made it. */
export function createSchedules({ firestore, caller, places }: { firestore: Firestore; caller: Caller; places: Places }): ScheduleStore {
  const { call, settled } = caller;
  return {
    async get(tenant, workflowId, triggerId) {
      const snapshot = await call(async () => await places.schedule(tenant, workflowId, triggerId).get());
      return { now: snapshot.readTime.toMillis(), cursor: snapshot.exists ? await readCursor(snapshot) : undefined };
    },

    async put(cursor, basedOnRevision) {
      const { tenant, workflowId, triggerId, revision, dueAt } = cursor;
      const ref = places.schedule(tenant, workflowId, triggerId);
      const { body, bytes } = await packBody(cursor);
      const writeId = randomUUID();
      const data = { shard: shardOf(workflowId), dueAt, revision, writeId, ...body };
      checkSize([{ kind: "set", ref, data, bytes }]);
      return await settled({
        async attempt() {
          const found = await ref.get();
          // Ours, from an attempt whose answer was lost.
          if (found.exists && found.get("writeId") === writeId) return true;
          if (!isAt(found, basedOnRevision)) return false;
          await commitOnce(firestore, [
            found.updateTime ? { kind: "update", ref, data, bytes, ifUpdatedAt: found.updateTime } : { kind: "create", ref, data, bytes },
          ]);
          return true;
        },
        // The next attempt reads first and tells which it was.
        settle: async () => undefined,
      });
    },

    async remove(tenant, workflowId, triggerId, revision) {
      const ref = places.schedule(tenant, workflowId, triggerId);
      let isSent = false;
      return await settled({
        async attempt() {
          const found = await ref.get();
          // Gone after we sent the deletion: by us, or by somebody who wanted the same.
          if (!found.exists) return isSent;
          if (!isAt(found, revision) || !found.updateTime) return false;
          isSent = true;
          await commitOnce(firestore, [{ kind: "delete", ref, bytes: 0, ifUpdatedAt: found.updateTime }]);
          return true;
        },
        settle: async () => undefined,
      });
    },

    async due(before, limit) {
      const found = await call(async () => await queryOf(QUERIES.schedulesDue, firestore, { values: [ALL_SHARDS, before], limit }).get());
      return { now: found.readTime.toMillis(), cursors: await Promise.all(found.docs.map(readCursor)) };
    },
  };
}

function isAt(snapshot: DocumentSnapshot, revision: number | null): boolean {
  return snapshot.exists ? snapshot.get("revision") === revision : revision === null;
}

async function readCursor(snapshot: DocumentSnapshot): Promise<ScheduleCursor> {
  return (await readBody(snapshot)) as ScheduleCursor; // what `put` packed
}
