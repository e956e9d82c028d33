import { describe, expect, test } from "vitest";
import {
  aCheckpointPut,
  aDecision,
  aMessage,
  at,
  aWait,
  childOf,
  claimed,
  claimOn,
  commitOn,
  newTenant,
  refusalCodes,
  START,
  someEvents,
  start,
  watching,
} from "./fixtures.ts";
import { sharedStore, withSecond } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function commitsSuite(adapter: StoreUnderTest): void {
  describe("commits on executions", () => {
    const { use } = sharedStore(adapter);
    const thread = (tenant: string, id: string) => ({ configurable: { tenant, thread_id: id, checkpoint_ns: "" } });

    test("everything of a commit is there afterwards", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      await use().inbox.send(aMessage({ tenant, id }, { id: "m1" }));
      await use().inbox.send(aMessage({ tenant, id }, { id: "m2" }));
      const put = aCheckpointPut({ _vars: { total: 12 } });
      const wait = aWait(handle.execution);
      const decision = aDecision(handle.execution);
      const next = await use().executions.commit(
        commitOn(
          handle,
          { lastSeq: 5, variables: { total: 12 }, wakeAt: START + 20_000 },
          {
            checkpoints: [put],
            writes: [{ ns: "", checkpointId: put.checkpoint.id, taskId: "t1", writes: [["_vars", { total: 13 }]] }],
            decisions: [decision],
            openWaits: [wait],
            consumed: ["m1"],
            values: [{ ref: "sha-1", value: { big: true } }],
          },
        ),
      );
      expect((await use().executions.get(tenant, id))?.execution).toEqual(next.execution);
      expect((await use().events.after(tenant, id, 0, 10)).map((event) => event.seq)).toEqual([1, 2, 3, 4, 5]);
      expect(await use().decisions.get(tenant, decision.id)).toEqual(decision);
      expect(await use().waits.get(tenant, wait.id)).toEqual(wait);
      expect((await use().inbox.list(tenant, id)).map((message) => message.id)).toEqual(["m2"]);
      expect(await use().events.values(tenant, id, ["sha-1"])).toEqual(new Map([["sha-1", { big: true }]]));
      const tuple = await use().checkpointer.getTuple(thread(tenant, id));
      expect(tuple?.checkpoint).toEqual(put.checkpoint);
      expect(tuple?.metadata).toEqual(put.metadata);
      expect(tuple?.parentConfig).toBeUndefined();
      expect(tuple?.pendingWrites).toEqual([["t1", "_vars", { total: 13 }]]);
    });

    test("the returned handle carries the next commit without a read", async () => {
      let handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      for (let step = 0; step < 5; step += 1)
        handle = await use().executions.commit(commitOn(handle, { lastSeq: handle.execution.lastSeq + 2 }));
      const { tenant, id } = handle.execution;
      expect((await use().events.after(tenant, id, 0, 50)).map((event) => event.seq)).toEqual(Array.from({ length: 12 }, (_, n) => n + 1));
    });

    test("a checkpoint's child names its parent, and checkpoints come newest first", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      const first = aCheckpointPut({ n: 1 });
      const second = aCheckpointPut({ n: 2 }, { parentId: first.checkpoint.id });
      await use().executions.commit(commitOn(handle, { lastSeq: 3 }, { checkpoints: [first, second] }));
      const tuple = await use().checkpointer.getTuple(thread(tenant, id));
      expect(tuple?.checkpoint.channel_values).toEqual({ n: 2 });
      expect(tuple?.parentConfig?.configurable).toMatchObject({ thread_id: id, checkpoint_ns: "", checkpoint_id: first.checkpoint.id });
    });

    test("a commit without events (heartbeat) renews the lease and keeps the history", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      const renewed = await use().executions.commit(commitOn(handle, { leaseUntil: START + 60_000, wakeAt: START + 60_000 }));
      expect((await use().executions.get(tenant, id))?.execution.leaseUntil).toBe(START + 60_000);
      await use().executions.commit(commitOn(renewed, { lastSeq: 3 }));
      expect(await use().events.after(tenant, id, 0, 10)).toHaveLength(3);
    });

    test("a stale holder's commit is LEASE_LOST and leaves no trace", async () => {
      const pending = await start(use(), { tenant: newTenant() });
      const { tenant, id } = pending.execution;
      const stale = await claimed(use(), pending, "stale");
      const wait = aWait(stale.execution);
      const owned = await use().executions.commit(commitOn(stale, { lastSeq: 3 }, { openWaits: [wait] }));
      await use().inbox.send(aMessage({ tenant, id }, { id: "m1" }));
      const other = (await start(use(), { tenant })).execution;
      const current = await claimed(use(), owned, "current", START + 20_000);
      const decision = aDecision(stale.execution);
      const opened = aWait(stale.execution);
      const late = commitOn(
        owned,
        { lastSeq: 6, status: "FAILED", endedAt: at(9) },
        {
          checkpoints: [aCheckpointPut({ stale: true })],
          writes: [{ ns: "", checkpointId: "c", taskId: "t", writes: [["stale", true]] }],
          decisions: [decision],
          openWaits: [opened],
          closeWaits: [{ id: wait.id, status: "cancelled" }],
          consumed: ["m1"],
          values: [{ ref: "stale", value: true }],
          sends: [aMessage(other)],
          starts: [{ execution: childOf(stale.execution, { id: "never" }), events: someEvents(1, 2) }],
        },
      );
      await expect(use().executions.commit(late)).rejects.toMatchObject({ code: "LEASE_LOST" });
      expect((await use().executions.get(tenant, id))?.execution).toEqual(current.execution);
      expect((await use().events.after(tenant, id, 0, 10)).map((event) => event.seq)).toEqual([1, 2, 3, 4]);
      expect(await use().checkpointer.getTuple(thread(tenant, id))).toBeUndefined();
      expect(await use().decisions.get(tenant, decision.id)).toBeUndefined();
      expect(await use().waits.get(tenant, opened.id)).toBeUndefined();
      expect((await use().waits.get(tenant, wait.id))?.status).toBe("open");
      expect(await use().inbox.list(tenant, id)).toHaveLength(1);
      expect((await use().events.values(tenant, id, ["stale"])).size).toBe(0);
      expect(await use().inbox.list(tenant, other.id)).toEqual([]);
      expect(await use().executions.get(tenant, "never")).toBeUndefined();
    });

    test("the same epoch with another lastSeq is LEASE_LOST", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      await use().executions.commit(commitOn(handle, { lastSeq: 4 }));
      await expect(use().executions.commit(commitOn(handle, { lastSeq: 3 }))).rejects.toMatchObject({ code: "LEASE_LOST" });
    });

    test("a commit on an execution that is not there is LEASE_LOST", async () => {
      const handle = await start(use(), { tenant: newTenant() });
      const ghost = { ...handle, execution: { ...handle.execution, id: "ghost" } };
      await expect(use().executions.commit(claimOn(ghost, "a"))).rejects.toMatchObject({ code: "LEASE_LOST" });
    });

    test("a commit that is found already applied counts as done and is there once", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      const commit = commitOn(handle, { lastSeq: 4, stepsTaken: 1 }, { checkpoints: [aCheckpointPut({ n: 1 })] });
      await use().executions.commit(commit);
      const again = await use().executions.commit(commit);
      expect(again.execution).toEqual(commit.execution);
      expect((await use().events.after(tenant, id, 0, 10)).map((event) => event.seq)).toEqual([1, 2, 3, 4]);
      await use().executions.commit(commitOn(again, { lastSeq: 5 }));
    });

    test("messages to other executions come with the commit, once, and their watchers hear of it", async () => {
      const tenant = newTenant();
      const other = await start(use(), { tenant });
      const { id } = other.execution;
      const watched = watching<[]>((onChange) => use().inbox.watch(tenant, id, onChange));
      const handle = await claimed(use(), await start(use(), { tenant }), "a");
      const message = aMessage({ tenant, id }, { id: "m1" });
      const commit = commitOn(handle, { lastSeq: 3 }, { sends: [message] });
      await use().executions.commit(commit);
      await watched.until((calls) => calls.length > 0);
      watched.stop();
      await use().executions.commit(commit);
      expect(await use().inbox.list(tenant, id)).toEqual([message]);
    });

    test("a message whose id is taken stays as it is and holds up nothing", async () => {
      const tenant = newTenant();
      const first = (await start(use(), { tenant })).execution;
      const second = (await start(use(), { tenant })).execution;
      const there = aMessage(first, { id: "m1", principal: "earlier" });
      await use().inbox.send(there);
      const handle = await claimed(use(), await start(use(), { tenant }), "a");
      const sends = [aMessage(first, { id: "m1", principal: "later" }), aMessage(second, { id: "m1" })];
      await use().executions.commit(commitOn(handle, { lastSeq: 3 }, { sends }));
      expect(await use().inbox.list(tenant, first.id)).toEqual([there]);
      expect(await use().inbox.list(tenant, second.id)).toEqual([sends[1]]);
    });

    test("executions that begin with a commit are there with it, once, and their watchers hear of it", async () => {
      const tenant = newTenant();
      const handle = await claimed(use(), await start(use(), { tenant }), "a");
      const child = childOf(handle.execution);
      const started = { execution: child, events: someEvents(1, 2) };
      const watched = watching<[unknown]>((onChange) => use().events.watch(tenant, child.id, onChange));
      const commit = commitOn(handle, { lastSeq: 3 }, { starts: [started] });
      const next = await use().executions.commit(commit);
      await watched.until((calls) => calls.length > 0);
      watched.stop();
      const found = await use().executions.get(tenant, child.id);
      if (!found) throw new Error("the child is not there");
      const ran = await claimed(use(), found, "b");
      await use().executions.commit(commit);
      await use().executions.commit(commitOn(next, { lastSeq: 4 }, { starts: [started] }));
      expect((await use().executions.get(tenant, child.id))?.execution).toEqual(ran.execution);
      expect((await use().events.after(tenant, child.id, 0, 10)).map(({ seq }) => seq)).toEqual([1, 2, 3]);
    });

    test("another owner's commit with the same numbers is not taken for one's own", async () => {
      const pending = await start(use(), { tenant: newTenant() });
      await claimed(use(), pending, "first");
      await expect(claimed(use(), pending, "second")).rejects.toMatchObject({ code: "LEASE_LOST" });
      expect((await use().executions.get(pending.execution.tenant, pending.execution.id))?.execution.owner).toBe("first");
    });

    test("of twenty claims at once exactly one wins", async () => {
      const pending = await start(use(), { tenant: newTenant() });
      const outcomes = await Promise.allSettled(Array.from({ length: 20 }, (_, n) => claimed(use(), pending, `worker-${n}`)));
      expect(outcomes.filter((outcome) => outcome.status === "fulfilled")).toHaveLength(1);
      expect(refusalCodes(outcomes)).toEqual(Array.from({ length: 19 }, () => "LEASE_LOST"));
      expect(await use().events.after(pending.execution.tenant, pending.execution.id, 0, 50)).toHaveLength(2);
    });

    test.runIf(adapter.openSecond)("a second handle fences the first, with nothing written by the loser", async () => {
      await withSecond(adapter, use(), async (second) => {
        const pending = await start(use(), { tenant: newTenant() });
        const { tenant, id } = pending.execution;
        const stale = await claimed(use(), pending, "first");
        const seen = await second.executions.get(tenant, id);
        if (!seen) throw new Error("the second handle does not see the execution");
        const current = await claimed(second, seen, "second", START + 20_000);
        const decision = aDecision(stale.execution);
        const late = commitOn(stale, { lastSeq: 4 }, { checkpoints: [aCheckpointPut({ stale: true })], decisions: [decision] });
        await expect(use().executions.commit(late)).rejects.toMatchObject({ code: "LEASE_LOST" });
        expect((await use().executions.get(tenant, id))?.execution).toEqual(current.execution);
        expect((await use().events.after(tenant, id, 0, 10)).map((event) => event.seq)).toEqual([1, 2, 3]);
        expect(await use().checkpointer.getTuple(thread(tenant, id))).toBeUndefined();
        expect(await use().decisions.get(tenant, decision.id)).toBeUndefined();
      });
    });

    test("fifty executions commit at once, each in its own order", async () => {
      const tenant = newTenant();
      const executions = await Promise.all(Array.from({ length: 50 }, (_, n) => start(use(), { tenant, id: `e${n}` })));
      await Promise.all(
        executions.map(async (pending) => {
          let handle = await claimed(use(), pending, "a");
          for (let step = 0; step < 4; step += 1) {
            handle = await use().executions.commit(
              commitOn(
                handle,
                { lastSeq: handle.execution.lastSeq + 2 },
                { checkpoints: [aCheckpointPut({ owner: handle.execution.id, step })] },
              ),
            );
          }
        }),
      );
      for (const { execution } of executions) {
        expect(await use().events.after(tenant, execution.id, 0, 50)).toEqual(someEvents(1, 10));
        const tuple = await use().checkpointer.getTuple(thread(tenant, execution.id));
        expect(tuple?.checkpoint.channel_values).toEqual({ owner: execution.id, step: 3 });
      }
    });

    test("one refused commit among others at once spoils none of them", async () => {
      const tenant = newTenant();
      const handles = await Promise.all(Array.from({ length: 10 }, () => start(use(), { tenant })));
      const isStale = (n: number) => n % 3 === 0;
      await Promise.all(handles.map(async (handle, n) => isStale(n) && (await claimed(use(), handle, "other"))));
      const commits = handles.map((handle) => claimOn(handle, "a"));
      const outcomes = await Promise.allSettled(commits.map((commit) => use().executions.commit(commit)));
      expect(outcomes.map((outcome) => outcome.status === "rejected")).toEqual(handles.map((_, n) => isStale(n)));
      for (const [n, { execution }] of handles.entries()) {
        expect((await use().executions.get(tenant, execution.id))?.execution.owner).toBe(isStale(n) ? "other" : "a");
        expect(await use().events.after(tenant, execution.id, 0, 10)).toHaveLength(2);
      }
    });
  });
}
