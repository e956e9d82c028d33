import { describe, expect, test } from "vitest";
import type { ExecutionEvent } from "../../../src/definition/event.ts";
import { aMessage, aWait, claimed, commitOn, newTenant, start, watching } from "./fixtures.ts";
import { sharedStore, withSecond } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function watchSuite(adapter: StoreUnderTest): void {
  describe("watching", () => {
    const { use } = sharedStore(adapter);

    test("a watcher is told of a commit, and the events are there to be read then", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      const watcher = watching((onChange) => use().events.watch(tenant, id, onChange));
      const before = watcher.calls.length;
      await use().executions.commit(commitOn(handle, { lastSeq: 5 }));
      await watcher.until((calls) => calls.length > before);
      expect(await use().events.after(tenant, id, 2, 10)).toHaveLength(3);
      watcher.stop();
    });

    test("events a watcher is brought are those of its execution, whole and in order", async () => {
      const tenant = newTenant();
      let mine = await claimed(use(), await start(use(), { tenant }), "a");
      let other = await claimed(use(), await start(use(), { tenant }), "a");
      const { id } = mine.execution;
      const watcher = watching<[ExecutionEvent[]]>((onChange) => use().events.watch(tenant, id, onChange));
      for (let n = 0; n < 5; n += 1) {
        other = await use().executions.commit(commitOn(other, { lastSeq: other.execution.lastSeq + 1 }));
        mine = await use().executions.commit(commitOn(mine, { lastSeq: mine.execution.lastSeq + 2 }));
      }
      const stored = await use().events.after(tenant, id, 0, 100);
      await watcher.until((calls) => calls.length > 0);
      for (const event of watcher.calls.flatMap(([events]) => events)) expect(stored[event.seq - 1]).toEqual(event);
      watcher.stop();
    });

    test("two watchers of one execution are both told; one that stopped is not", async () => {
      let handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      const [first, second] = [0, 1].map(() => watching((onChange) => use().events.watch(tenant, id, onChange)));
      if (!first || !second) throw new Error("no watchers");
      handle = await use().executions.commit(commitOn(handle, { lastSeq: 3 }));
      await first.until((calls) => calls.length > 0);
      await second.until((calls) => calls.length > 0);
      first.stop();
      first.stop();
      const told = first.calls.length;
      const before = second.calls.length;
      await use().executions.commit(commitOn(handle, { lastSeq: 4 }));
      await second.until((calls) => calls.length > before);
      expect(first.calls).toHaveLength(told);
      second.stop();
    });

    test("a watcher that throws harms neither the commit nor the other watchers", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      const stop = use().events.watch(tenant, id, () => {
        throw new Error("a careless watcher");
      });
      const watcher = watching((onChange) => use().events.watch(tenant, id, onChange));
      await use().executions.commit(commitOn(handle, { lastSeq: 3 }));
      await watcher.until((calls) => calls.length > 0);
      expect((await use().executions.get(tenant, id))?.execution.lastSeq).toBe(3);
      stop();
      watcher.stop();
    });

    test("mail is told of, sent or by an answered wait", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      const wait = aWait(handle.execution);
      await use().executions.commit(commitOn(handle, { lastSeq: 3 }, { openWaits: [wait] }));
      const watcher = watching((onChange) => use().inbox.watch(tenant, id, onChange));
      await use().inbox.send(aMessage({ tenant, id }));
      await watcher.until((calls) => calls.length > 0);
      const before = watcher.calls.length;
      await use().waits.answer(
        tenant,
        wait.id,
        "answered",
        { by: "given", principal: "ada", at: wait.createdAt, data: {} },
        aMessage({ tenant, id }),
      );
      await watcher.until((calls) => calls.length > before);
      expect(await use().inbox.list(tenant, id)).toHaveLength(2);
      watcher.stop();
    });

    test.runIf(adapter.openSecond)("what another handle writes is told to event, mail and all-watchers", async () => {
      await withSecond(adapter, use(), async (second) => {
        const handle = await start(use(), { tenant: newTenant() });
        const { tenant, id } = handle.execution;
        const events = watching((onChange) => use().events.watch(tenant, id, onChange));
        const mail = watching((onChange) => use().inbox.watch(tenant, id, onChange));
        const all = watching((onChange) => use().inbox.watchAll(onChange));
        const [eventCalls, mailCalls] = [events.calls.length, mail.calls.length];
        await claimed(second, handle, "elsewhere");
        await events.until((calls) => calls.length > eventCalls);
        expect(await use().events.after(tenant, id, 1, 10)).toHaveLength(1);
        await second.inbox.send(aMessage({ tenant, id }));
        await mail.until((calls) => calls.length > mailCalls);
        expect(await use().inbox.list(tenant, id)).toHaveLength(1);
        const before = all.calls.length;
        await start(second, { tenant });
        await all.until((calls) => calls.length > before);
        for (const watcher of [events, mail, all]) watcher.stop();
      });
    });
  });
}
