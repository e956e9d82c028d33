import { describe, expect, test } from "vitest";
import { aMessage, at, claimed, commitOn, newTenant, START, start } from "./fixtures.ts";
import { sharedStore, withSecond } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function inboxSuite(adapter: StoreUnderTest): void {
  describe("inbox", () => {
    const { use } = sharedStore(adapter);

    test("messages are listed as they were sent, oldest first", async () => {
      const { execution } = await start(use(), { tenant: newTenant() });
      const messages = [
        aMessage(execution, { at: at(1), body: { type: "cancel", reason: "enough" } }),
        aMessage(execution, { at: at(2), body: { type: "answer", waitId: "w", answer: "given", data: { ok: true } } }),
        aMessage(execution, { at: at(3), body: { type: "retry", mode: "skip", output: [1] } }),
      ];
      for (const message of messages) expect(await use().inbox.send(message)).toBe(true);
      expect(await use().inbox.list(execution.tenant, execution.id)).toEqual(messages);
    });

    test("a second message with the id is refused and the first stays", async () => {
      const { execution } = await start(use(), { tenant: newTenant() });
      const first = aMessage(execution, { id: "event/7" });
      expect(await use().inbox.send(first)).toBe(true);
      expect(await use().inbox.send(aMessage(execution, { id: "event/7", principal: "another" }))).toBe(false);
      expect(await use().inbox.list(execution.tenant, execution.id)).toEqual([first]);
    });

    test("of twenty messages with one id at once one is taken", async () => {
      const { execution } = await start(use(), { tenant: newTenant() });
      const taken = await Promise.all(Array.from({ length: 20 }, () => use().inbox.send(aMessage(execution, { id: "one" }))));
      expect(taken.filter(Boolean)).toHaveLength(1);
    });

    test("one id may come to two executions", async () => {
      const tenant = newTenant();
      const first = await start(use(), { tenant });
      const second = await start(use(), { tenant });
      expect(await use().inbox.send(aMessage(first.execution, { id: "broadcast" }))).toBe(true);
      expect(await use().inbox.send(aMessage(second.execution, { id: "broadcast" }))).toBe(true);
    });

    test("what a commit consumed is gone, what came meanwhile stays", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      for (const [n, messageId] of ["m1", "m2"].entries()) await use().inbox.send(aMessage({ tenant, id }, { id: messageId, at: at(n) }));
      const seen = await use().inbox.list(tenant, id);
      await use().inbox.send(aMessage({ tenant, id }, { id: "m3", at: at(9) }));
      await use().executions.commit(commitOn(handle, { lastSeq: 3 }, { consumed: [...seen.map((message) => message.id), "unknown"] }));
      expect((await use().inbox.list(tenant, id)).map((message) => message.id)).toEqual(["m3"]);
    });

    test("waiting names each execution with old mail once, and none with new mail only", async () => {
      const tenant = newTenant();
      const [old, fresh, empty] = [await start(use(), { tenant }), await start(use(), { tenant }), await start(use(), { tenant })];
      await use().inbox.send(aMessage(old.execution, { at: at(10) }));
      await use().inbox.send(aMessage(old.execution, { at: at(20) }));
      await use().inbox.send(aMessage(fresh.execution, { at: at(5_000) }));
      const ids = async (sentBefore: number) =>
        (await use().inbox.waiting(START + sentBefore, 1_000)).filter((ref) => ref.tenant === tenant).map((ref) => ref.id);
      expect(await ids(10)).toEqual([]);
      expect(await ids(1_000)).toEqual([old.execution.id]);
      expect((await ids(6_000)).toSorted()).toEqual([old.execution.id, fresh.execution.id].toSorted());
      expect(await ids(6_000)).not.toContain(empty.execution.id);
    });

    test.runIf(adapter.openSecond)("a message sent through one handle is read through another", async () => {
      await withSecond(adapter, use(), async (second) => {
        const { execution } = await start(use(), { tenant: newTenant() });
        const message = aMessage(execution);
        await second.inbox.send(message);
        expect(await use().inbox.list(execution.tenant, execution.id)).toEqual([message]);
      });
    });
  });
}
