import { Timestamp, type DocumentReference, type DocumentSnapshot, type Firestore } from "@google-cloud/firestore";
import type { Clock } from "../../ports/clock.ts";
import type { Call } from "./caller.ts";
import { ALL_SHARDS } from "./document-id.ts";
import { commitOnce, type DocumentWrite } from "./document-write.ts";
import { isExpired, readExecution } from "./execution-document.ts";
import { CODE, isStatus } from "./failure.ts";
import type { Places } from "./places.ts";
import { QUERIES, queryOf } from "./queries.ts";

const EVERY_MS = 10 * 60_000;
const EXECUTIONS_AT_ONCE = 5;
const DELETE_DEADLINE_MS = 60_000;

interface RetentionOptions {
  firestore: Firestore;
  call: Call;
  places: Places;
  clock: Clock;
}

/**
 * Deletes executions whose retention has ended, with all that belongs to them. Firestore's own TTL would delete the record alone and
 * leave everything below it behind for good.
 */
export interface Retention {
  /** One round over all shards, after one that is under way; resolves with the number of executions deleted. */
  run(): Promise<number>;
  stop(): void;
}

export function createRetention({ firestore, call, places, clock }: RetentionOptions): Retention {
  let stopped = false;
  let running: Promise<unknown> = Promise.resolve();
  // Pods start together after a deployment and must not go round together.
  let cancel = clock.after(EVERY_MS * (0.5 + Math.random()), tick);

  function tick(): void {
    void run()
      .catch(() => 0)
      .finally(() => {
        if (!stopped) cancel = clock.after(EVERY_MS * (0.5 + Math.random()), tick);
      });
  }

  function run(): Promise<number> {
    const round = running.then(deleteExpired);
    // A round that fails is begun anew next time: every step of it can be repeated.
    running = round.catch(() => 0);
    return round;
  }

  async function deleteExpired(): Promise<number> {
    let deleted = 0;
    for (const shard of ALL_SHARDS.toSorted(() => Math.random() - 0.5)) {
      for (;;) {
        if (stopped) return deleted;
        const query = queryOf(QUERIES.executionsExpired, firestore, {
          values: [[shard], Timestamp.fromMillis(clock.now())],
          limit: EXECUTIONS_AT_ONCE,
        });
        const { docs } = await call(async () => await query.get());
        const results = await Promise.all(docs.map(remove));
        const removed = results.filter(Boolean).length;
        deleted += removed;
        if (removed === 0 || docs.length < EXECUTIONS_AT_ONCE) break;
      }
    }
    return deleted;
  }

  /** Marks the record, deletes what belongs to it, and the record last: a crash in between leaves something to go on from. */
  async function remove(snapshot: DocumentSnapshot): Promise<boolean> {
    const { ref } = snapshot;
    const found = await readExecution(snapshot, call);
    if (found) {
      if (!isExpired(found.execution, clock.now()) || !snapshot.updateTime) return false;
      const { tenant, id, idempotencyKey } = found.execution;
      const key = idempotencyKey === null ? undefined : places.key(tenant, idempotencyKey);
      const mark: DocumentWrite = {
        kind: "update",
        ref,
        data: { gone: true, owner: null, wakeAt: null, relayAt: null },
        bytes: 0,
        ifUpdatedAt: snapshot.updateTime,
      };
      const owner = key && (await call(async () => await key.get()));
      // A start that takes the key over meanwhile keeps it: the whole batch is refused then.
      const writes: DocumentWrite[] =
        owner?.updateTime && owner.get("executionId") === id
          ? [mark, { kind: "delete", ref: owner.ref, bytes: 0, ifUpdatedAt: owner.updateTime }]
          : [mark];
      try {
        await call(async () => await commitOnce(firestore, writes));
      } catch (error) {
        // Somebody wrote the record or the key meanwhile (a retry, a new start): it is looked at again next time.
        if (isStatus((error as { cause?: unknown }).cause, CODE.FAILED_PRECONDITION, CODE.NOT_FOUND)) return false;
        throw error;
      }
    }
    await removeAll(String(snapshot.get("tenant")), String(snapshot.get("id")), ref);
    return true;
  }

  async function removeAll(tenant: string, id: string, ref: DocumentReference): Promise<void> {
    const beside = await Promise.all([
      call(
        async () =>
          await queryOf(QUERIES.waitsOf, places.waits(tenant), { values: [[id]] })
            .select()
            .get(),
      ),
      call(
        async () =>
          await queryOf(QUERIES.decisionsOf, places.decisions(tenant), { values: [[id]] })
            .select()
            .get(),
      ),
    ]);
    const documents = beside.flatMap(({ docs }) =>
      docs.map((document): DocumentWrite => ({ kind: "delete", ref: document.ref, bytes: 0 })),
    );
    for (let start = 0; start < documents.length; start += 300)
      await call(async () => await commitOnce(firestore, documents.slice(start, start + 300)));
    for (const collection of await call(async () => await ref.listCollections())) {
      await call(async () => await firestore.recursiveDelete(collection), DELETE_DEADLINE_MS);
    }
    await call(async () => await ref.delete());
  }

  return {
    run,
    stop() {
      stopped = true;
      cancel();
    },
  };
}
