import { randomUUID } from "node:crypto";
import type { DocumentReference } from "@google-cloud/firestore";
import { describe, expect, test } from "vitest";
import { createFirestoreClient } from "../../src/adapters/firestore/client.ts";
import { aCheckpointPut, aDecision, aMessage, aWait, claimed, commitOn, newTenant, START, start } from "../contract/store/fixtures.ts";
import { manualClock } from "../support/manual-clock.ts";
import { emulated, newProject, openTestStore } from "./projects.ts";

const DAY_MS = 86_400_000;

describe.runIf(emulated)("retention", () => {
  const project = newProject();
  const firestore = createFirestoreClient({ project });

  /** Every document below one, by path. */
  async function below(ref: DocumentReference): Promise<string[]> {
    const collections = await ref.listCollections();
    const documents = (await Promise.all(collections.map((collection) => collection.listDocuments()))).flat();
    const found = await Promise.all(
      documents.map(async (document) => [...((await document.get()).exists ? [document.path] : []), ...(await below(document))]),
    );
    return found.flat();
  }

  /** An ended execution with one of everything that can belong to it. */
  async function ended(store: ReturnType<typeof openTestStore>, tenant: string, expireAt: number | null) {
    const handle = await claimed(
      store,
      await start(store, { tenant, id: randomUUID(), idempotencyKey: randomUUID(), input: { text: "x".repeat(100_000) } }),
      "a",
    );
    await store.inbox.send(aMessage(handle.execution));
    return await store.executions.commit(
      commitOn(
        handle,
        { lastSeq: 3, status: "FAILED", owner: null, leaseUntil: null, wakeAt: null, expireAt },
        {
          checkpoints: [aCheckpointPut({ large: "y".repeat(200_000) })],
          writes: [{ ns: "sub", checkpointId: "c", taskId: "t", writes: [["a", 1]] }],
          decisions: [aDecision(handle.execution)],
          openWaits: [aWait(handle.execution)],
          values: [{ ref: "v", value: "z" }],
        },
      ),
    );
  }

  test("what has expired is hidden at once and deleted to the last document; everything else stays", async () => {
    const clock = manualClock(START);
    const store = openTestStore(project, { clock });
    const tenant = newTenant();
    const root = firestore.collection("tenants").doc(tenant);
    const kept = [await ended(store, tenant, START + 2 * DAY_MS), await ended(store, tenant, null)];
    const documents = await below(root);
    const gone = await ended(store, tenant, START + DAY_MS);
    expect((await below(root)).length).toBeGreaterThan(documents.length + 8);

    clock.advance(DAY_MS);
    expect(await store.executions.get(tenant, gone.execution.id)).toBeUndefined();
    expect((await store.executions.list(tenant, { pageSize: 10 })).items.map(({ id }) => id).toSorted()).toEqual(
      kept.map(({ execution }) => execution.id).toSorted(),
    );

    // The clock's jump has begun a round as well; whichever of the two deletes it, it is gone after this one.
    await store.deleteExpired();
    expect((await below(root)).toSorted()).toEqual(documents.toSorted());
    await store.close();
  });

  test("an execution that is tried again in the moment of its deletion is either run or gone, never half of it", async () => {
    const clock = manualClock(START);
    const store = openTestStore(project, { clock });
    const tenant = newTenant();
    const handle = await ended(store, tenant, START + DAY_MS);
    clock.advance(DAY_MS);
    const [retried] = await Promise.allSettled([
      store.executions.commit(commitOn(handle, { lastSeq: 4, status: "RUNNING", expireAt: null })),
      store.deleteExpired(),
    ]);
    const documents = await below(firestore.collection("tenants").doc(tenant));
    if (retried.status === "fulfilled") expect(documents.filter((path) => path.includes("/events/"))).toHaveLength(4);
    else expect({ code: (retried.reason as { code?: string }).code, documents }).toEqual({ code: "LEASE_LOST", documents: [] });
    await store.close();
  });

  test("the idempotency key of a deleted execution starts a new one", async () => {
    const clock = manualClock(START);
    const store = openTestStore(project, { clock });
    const tenant = newTenant();
    const first = await claimed(store, await start(store, { tenant, idempotencyKey: "k" }), "a");
    await store.executions.commit(
      commitOn(first, { lastSeq: 3, status: "COMPLETED", owner: null, leaseUntil: null, wakeAt: null, expireAt: START + DAY_MS }),
    );
    clock.advance(DAY_MS);
    // Expired but not deleted yet, and after that deleted.
    const second = await start(store, { tenant, idempotencyKey: "k" });
    expect(second).toMatchObject({ created: true });
    await store.deleteExpired();
    expect(await start(store, { tenant, idempotencyKey: "k" })).toMatchObject({ created: false, execution: { id: second.execution.id } });
    await store.close();
  });
});
