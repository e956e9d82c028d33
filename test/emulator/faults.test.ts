import { afterEach, beforeEach, describe, expect, test } from "vitest";
import type { FirestoreStore } from "../../src/adapters/firestore/store.ts";
import type { ExecutionCommit, ExecutionHandle } from "../../src/ports/store.ts";
import {
  aCheckpointPut,
  aDecision,
  aMessage,
  aWait,
  aWorkflow,
  at,
  claimed,
  claimOn,
  commitOn,
  newTenant,
  START,
  start,
} from "../contract/store/fixtures.ts";
import { startFaultProxy, type FaultProxy } from "../support/fault-proxy.ts";
import { emulated, firestoreAddress, newProject, openTestStore } from "./projects.ts";

const DEADLINE_MS = 5_000;
// What a slow machine may add to the deadline before we say that it was missed; without one a read was pending after 90 s.
const GRACE_MS = 4_000;

describe.runIf(emulated)("a bad network", () => {
  let proxy: FaultProxy;
  /** Through the proxy, and beside it. */
  let store: FirestoreStore;
  let direct: FirestoreStore;
  let onCommit = (): void => {};

  beforeEach(async () => {
    const project = newProject();
    proxy = await startFaultProxy(firestoreAddress);
    store = openTestStore(project, { through: proxy.address, onCall: (method) => method === "Commit" && onCommit() });
    direct = openTestStore(project);
  });
  afterEach(async () => {
    proxy.set("pass");
    await Promise.all([store.close(), direct.close()]);
    await proxy[Symbol.asyncDispose]();
  });

  const mine = async (): Promise<ExecutionHandle> => await claimed(store, await start(store, { tenant: newTenant() }), "a");

  /** Does something whose answer is lost: lets it happen, checked from beside, and only then resets the connection. */
  async function unanswered<T>(act: () => Promise<T>, happened: () => Promise<boolean>): Promise<T> {
    await Promise.all([store.ping(), direct.ping()]); // connected: nothing of a handshake is lost, and looking takes no time
    onCommit = () => proxy.set("swallow");
    const acting = act();
    while (!(await happened())) await new Promise((resolve) => setImmediate(resolve));
    onCommit = () => {};
    proxy.set("pass");
    return await acting;
  }

  function fullCommit(handle: ExecutionHandle): ExecutionCommit {
    const wait = aWait(handle.execution);
    return commitOn(
      handle,
      { lastSeq: 5, stepsTaken: 1 },
      {
        checkpoints: [aCheckpointPut({ n: 1 })],
        decisions: [aDecision(handle.execution)],
        openWaits: [wait],
        values: [{ ref: "v", value: 1 }],
      },
    );
  }

  test("a commit whose answer was lost counts once and gives a handle to go on with", async () => {
    const handle = await mine();
    const { tenant, id } = handle.execution;
    const commit = fullCommit(handle);
    const done = await unanswered(
      () => store.executions.commit(commit),
      async () => (await direct.executions.get(tenant, id))?.execution.lastSeq === 5,
    );
    expect(done.execution.lastSeq).toBe(5);
    await store.executions.commit(commitOn(done, { lastSeq: 6 }));
    expect((await direct.events.after(tenant, id, 0, 50)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test("a heartbeat whose answer was lost, with the same epoch and seq before and after, keeps the lease", async () => {
    const handle = await mine();
    const { tenant, id } = handle.execution;
    const beat = commitOn(handle, { leaseUntil: START + 99_000, wakeAt: START + 99_000 });
    const done = await unanswered(
      () => store.executions.commit(beat),
      async () => (await direct.executions.get(tenant, id))?.execution.leaseUntil === START + 99_000,
    );
    await store.executions.commit(commitOn(done, { lastSeq: 3 }));
    expect((await direct.executions.get(tenant, id))?.execution).toMatchObject({ lastSeq: 3, leaseUntil: START + 99_000 });
  });

  test("a start, a message, an answer and a workflow whose answers were lost are each done once and told so", async () => {
    const tenant = newTenant();
    const created = await unanswered(
      () => start(store, { tenant, id: "e", idempotencyKey: "k" }),
      async () => (await direct.executions.get(tenant, "e")) !== undefined,
    );
    expect(created).toMatchObject({ created: true, execution: { id: "e" } });

    const message = aMessage({ tenant, id: "e" }, { id: "m" });
    expect(
      await unanswered(
        () => store.inbox.send(message),
        async () => (await direct.inbox.list(tenant, "e")).length === 1,
      ),
    ).toBe(true);
    expect(await store.inbox.send(message)).toBe(false);

    const handle = await claimed(store, created, "a");
    const wait = aWait(handle.execution);
    await store.executions.commit(commitOn(handle, { lastSeq: 3 }, { openWaits: [wait] }));
    const answer = { by: "given" as const, principal: "ada", at: at(1), data: {} };
    const letter = aMessage({ tenant, id: "e" }, { id: "letter" });
    const answered = await unanswered(
      () => store.waits.answer(tenant, wait.id, "answered", answer, letter),
      async () => (await direct.waits.get(tenant, wait.id))?.status === "answered",
    );
    expect(answered).toMatchObject({ accepted: true });
    expect(await direct.inbox.list(tenant, "e")).toHaveLength(2);

    const workflow = aWorkflow({ tenant });
    await unanswered(
      () => store.workflows.create(workflow),
      async () => (await direct.workflows.get(tenant, workflow.id)) !== undefined,
    );
    const second = { ...workflow, version: 2, revision: 2 };
    await unanswered(
      () => store.workflows.update(second, 1),
      async () => (await direct.workflows.get(tenant, workflow.id))?.revision === 2,
    );
    expect(await direct.workflows.get(tenant, workflow.id)).toEqual(second);
  });

  test("a commit that gave up is found applied by the same commit once the network is back", async () => {
    const handle = await mine();
    const { tenant, id } = handle.execution;
    const commit = fullCommit(handle);
    proxy.set("swallow");
    await expect(store.executions.commit(commit)).rejects.toMatchObject({ code: "UNAVAILABLE" });
    proxy.set("pass");
    expect((await store.executions.commit(commit)).execution).toEqual(commit.execution);
    expect((await direct.events.after(tenant, id, 0, 50)).map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5]);
  });

  test("into a black hole every kind of call ends as UNAVAILABLE within five seconds", async () => {
    const handle = await mine();
    const { tenant, id } = handle.execution;
    proxy.set("blackhole");
    const began = performance.now();
    const calls = [
      store.executions.get(tenant, id),
      store.executions.commit(commitOn(handle, { lastSeq: 3 })),
      store.executions.list(tenant, { pageSize: 10 }),
      store.executions.getMany(tenant, [id]),
      store.executions.recentOf(tenant, ["orders"], 1),
      store.executions.ownedBy("a", 10),
      store.executions.due(START, 10),
      store.executions.stats(tenant, ["orders"]),
      start(store, { tenant }),
      store.inbox.send(aMessage({ tenant, id })),
      store.inbox.list(tenant, id),
      store.inbox.waiting(START, 10),
      store.events.after(tenant, id, 0, 10),
      store.events.before(tenant, id, 9, 10),
      store.events.pagesOf(tenant, [id], { afterSeq: 0, limit: 10 }),
      store.events.values(tenant, id, ["r"]),
      store.waits.get(tenant, "w"),
      store.waits.list(tenant, { pageSize: 10 }),
      store.waits.listOf(tenant, [id], "approval"),
      store.waits.answer(tenant, "w", "answered", { by: "given", principal: null, at: at(0), data: {} }, null),
      store.decisions.get(tenant, "d"),
      store.decisions.list(tenant, { pageSize: 10 }),
      store.decisions.listOf(tenant, [id]),
      store.schedules.get(tenant, "w", "t"),
      store.schedules.due(START, 10),
      store.workflows.get(tenant, "w"),
      store.workflows.getVersion(tenant, "w", 1),
      store.workflows.getMany(tenant, ["w"]),
      store.workflows.list(tenant, { pageSize: 10 }),
      store.workflows.create(aWorkflow({ tenant })),
      store.checkpointer.getTuple({ configurable: { tenant, thread_id: id, checkpoint_ns: "" } }),
      store.ping(),
    ];
    const outcomes = await Promise.allSettled(calls);
    expect(performance.now() - began).toBeLessThan(DEADLINE_MS + GRACE_MS);
    expect(outcomes.map((outcome) => outcome.status === "rejected" && (outcome.reason as { code?: string }).code)).toEqual(
      calls.map(() => "UNAVAILABLE"),
    );
    proxy.set("pass");
    expect((await store.executions.get(tenant, id))?.execution.id).toBe(id);
  });

  test("a stale holder's commit that was stuck in the network writes nothing when it gets through", async () => {
    const handle = await mine();
    const { tenant, id } = handle.execution;
    proxy.set("blackhole");
    const late = fullCommit(handle);
    const stuck = store.executions.commit(late).catch((error: unknown) => error);
    const current = await claimed(direct, { ...handle, token: null }, "b", START + 20_000);
    proxy.set("pass");
    expect(await stuck).toMatchObject({ code: "LEASE_LOST" });
    expect((await direct.executions.get(tenant, id))?.execution).toEqual(current.execution);
    expect(await direct.events.after(tenant, id, 0, 50)).toHaveLength(3);
    expect(await direct.waits.get(tenant, late.openWaits[0]?.id ?? "")).toBeUndefined();
    expect(await direct.decisions.get(tenant, late.decisions[0]?.id ?? "")).toBeUndefined();
    expect(await direct.checkpointer.getTuple({ configurable: { tenant, thread_id: id, checkpoint_ns: "" } })).toBeUndefined();
  });

  test("a claim whose answer was lost is the claimer's, and nobody else's", async () => {
    const pending = await start(store, { tenant: newTenant() });
    const { tenant, id } = pending.execution;
    const won = await unanswered(
      () => store.executions.commit(claimOn(pending, "a")),
      async () => (await direct.executions.get(tenant, id))?.execution.owner === "a",
    );
    expect(won.execution.owner).toBe("a");
    await expect(direct.executions.commit(claimOn(pending, "b"))).rejects.toMatchObject({ code: "LEASE_LOST" });
  });

  test("a store that is opened while Firestore is away says so, and works as soon as it is there", async () => {
    proxy.set("refuse");
    await expect(store.ping()).rejects.toMatchObject({ code: "UNAVAILABLE" });
    proxy.set("pass");
    const began = performance.now();
    for (;;) {
      const answer = await store.ping().then(
        () => "there",
        () => "away",
      );
      if (answer === "there") break;
    }
    expect(performance.now() - began).toBeLessThan(2 * DEADLINE_MS);
  });

  test("through connections that are reset all the time, every commit counts once", async () => {
    const handles = await Promise.all(Array.from({ length: 5 }, mine));
    let isOver = false;
    const nemesis = (async () => {
      for (let n = 0; !isOver; n += 1) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        if (n % 3 === 0) proxy.set("swallow");
        else proxy.set("pass");
        proxy.reset();
      }
    })();
    await Promise.all(
      handles.map(async (first) => {
        let handle = first;
        for (let n = 0; n < 12; n += 1) {
          const commit = commitOn(handle, { lastSeq: handle.execution.lastSeq + 1, stepsTaken: n + 1 });
          for (;;) {
            const done = await store.executions.commit(commit).catch((error: unknown) => error as { code: string });
            if ("execution" in done) {
              handle = done;
              break;
            }
            expect(done.code).toBe("UNAVAILABLE");
          }
        }
      }),
    );
    isOver = true;
    await nemesis;
    for (const { execution } of handles) {
      const seqs = (await direct.events.after(execution.tenant, execution.id, 0, 100)).map(({ seq }) => seq);
      expect(seqs).toEqual(Array.from({ length: 14 }, (_, n) => n + 1));
    }
  });
});
