import { Timestamp, type DocumentSnapshot, type Firestore } from "@google-cloud/firestore";
import type { Memory } from "../../definition/memory.ts";
import { appended } from "../../definition/remember.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryStore } from "../../ports/memory-store.ts";
import type { ExecutionCommit } from "../../ports/store.ts";
import type { Call } from "./caller.ts";
import { packBody, readBody } from "./document-body.ts";
import type { DocumentWrite } from "./document-write.ts";
import type { Places } from "./places.ts";

export function createMemories({ call, places, clock }: { call: Call; places: Places; clock: Clock }): MemoryStore {
  return {
    async get(tenant, key) {
      const memory = await readMemory(await call(async () => await places.memory(tenant, key).get()));
      // TTL comes some time later.
      return memory && Date.parse(memory.expiresAt) > clock.now() ? memory : undefined;
    },
    async delete(tenant, key) {
      const ref = places.memory(tenant, key);
      const found = await call(async () => await ref.get());
      await call(async () => await ref.delete());
      return found.exists;
    },
  };
}

/**
 * Additions as writes guarded by what they are based on: another execution that adds to the same memory meanwhile has the batch
 * refused, and the next try reads anew.
 */
export async function memoryWrites(
  firestore: Firestore,
  places: Places,
  { execution, memories }: ExecutionCommit,
): Promise<DocumentWrite[]> {
  if (memories.length === 0) return [];
  const byKey = Map.groupBy(memories, ({ key }) => key);
  const snapshots = await firestore.getAll(...[...byKey.keys()].map((key) => places.memory(execution.tenant, key)));
  return await Promise.all(
    [...byKey.values()].map(async (appends, n): Promise<DocumentWrite> => {
      const snapshot = snapshots[n];
      const before = snapshot && (await readMemory(snapshot));
      const memory = appends.reduce<Memory | undefined>(appended, before);
      const { body, bytes } = await packBody(memory);
      const ref = places.memory(execution.tenant, appends[0]?.key ?? "");
      const data = { ...body, expireAt: Timestamp.fromMillis(Date.parse(memory?.expiresAt ?? "")) };
      return snapshot?.updateTime
        ? { kind: "update", ref, data, bytes, ifUpdatedAt: snapshot.updateTime }
        : { kind: "create", ref, data, bytes };
    }),
  );
}

async function readMemory(snapshot: DocumentSnapshot): Promise<Memory | undefined> {
  return snapshot.exists ? ((await readBody(snapshot)) as Memory) : undefined; // what `memoryWrites` packed
}
