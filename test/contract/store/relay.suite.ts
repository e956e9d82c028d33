import { describe, expect, test } from "vitest";
import { claimed, commitOn, newTenant, START, start } from "./fixtures.ts";
import { sharedStore } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function relaySuite(adapter: StoreUnderTest): void {
  describe("the relay's place", () => {
    const { use } = sharedStore(adapter);
    const dueIds = async (tenant: string, before: number) =>
      (await use().executions.relayDue(before, 1_000)).filter((ref) => ref.tenant === tenant).map(({ id }) => id);
    const placeOf = async (tenant: string, id: string) => {
      const { relayedSeq, relayAt } = (await use().executions.get(tenant, id))?.execution ?? {};
      return { relayedSeq, relayAt };
    };

    test("due are those with relayAt up to then, earliest first; a record that never had one is none of them", async () => {
      const tenant = newTenant();
      await start(use(), { tenant, id: "never" });
      await start(use(), { tenant, id: "done", relayAt: null, relayedSeq: 1 });
      for (const [id, relayAt] of Object.entries({ c: 30, a: 10, d: 40, b: 20 }))
        await start(use(), { tenant, id, relayAt: START + relayAt });
      expect(await dueIds(tenant, START + 30)).toEqual(["a", "b", "c"]);
      expect(await dueIds(tenant, START + 9)).toEqual([]);
      const first = (await use().executions.relayDue(START + 40, 1_000)).find((ref) => ref.tenant === tenant);
      expect(first).toEqual({ tenant, id: "a", relayAt: START + 10 });
      expect(await placeOf(tenant, "never")).toEqual({ relayedSeq: undefined, relayAt: undefined });
    });

    test("a commit moves it, and marking does by itself: nothing else of the record changes", async () => {
      const tenant = newTenant();
      const first = await start(use(), { tenant, id: "x", relayAt: START });
      const ended = await use().executions.commit(commitOn(first, { lastSeq: 3, status: "COMPLETED", relayAt: START + 5, wakeAt: null }));
      expect(await dueIds(tenant, START + 4)).toEqual([]);
      const marked = await use().executions.markRelayed(ended, { relayedSeq: 3, relayAt: null });
      expect(marked?.execution).toEqual({ ...ended.execution, relayedSeq: 3, relayAt: null });
      expect(await dueIds(tenant, START + 1_000)).toEqual([]);
      expect((await use().executions.get(tenant, "x"))?.execution).toEqual({ ...ended.execution, relayedSeq: 3, relayAt: null });
      expect(await use().events.after(tenant, "x", 0, 10)).toHaveLength(3);
    });

    test("whoever marked marks again from what it wrote", async () => {
      const tenant = newTenant();
      const first = await use().executions.markRelayed(await start(use(), { tenant, id: "x", relayAt: START }), {
        relayedSeq: undefined,
        relayAt: START + 9,
      });
      expect(first && (await use().executions.markRelayed(first, { relayedSeq: 1, relayAt: null }))).toBeDefined();
      expect(await placeOf(tenant, "x")).toEqual({ relayedSeq: 1, relayAt: null });
    });

    test("of two who mark from the same read, one does", async () => {
      const tenant = newTenant();
      const handle = await start(use(), { tenant, id: "x", relayAt: START });
      const marks = await Promise.all(
        [1, 2, 3].map((n) => use().executions.markRelayed(handle, { relayedSeq: undefined, relayAt: START + 1_000 * n })),
      );
      expect(marks.filter(Boolean)).toHaveLength(1);
      expect(await use().executions.markRelayed(handle, { relayedSeq: 1, relayAt: null })).toBeUndefined();
    });

    test("what somebody holds or has written since is left alone", async () => {
      const tenant = newTenant();
      const handle = await start(use(), { tenant, id: "x", relayAt: START });
      const held = await claimed(use(), handle, "worker");
      expect(await use().executions.markRelayed(handle, { relayedSeq: 1, relayAt: null })).toBeUndefined();
      expect(await use().executions.markRelayed(held, { relayedSeq: 1, relayAt: null })).toBeUndefined();
      const released = await use().executions.commit(commitOn(held, { owner: null, leaseUntil: null, lastSeq: 3 }));
      expect(await use().executions.markRelayed(held, { relayedSeq: 2, relayAt: null })).toBeUndefined();
      expect(await use().executions.markRelayed(released, { relayedSeq: 3, relayAt: null })).toBeDefined();
      expect(await placeOf(tenant, "x")).toEqual({ relayedSeq: 3, relayAt: null });
    });

    test("a claim based on a read before the mark still counts", async () => {
      const tenant = newTenant();
      const handle = await start(use(), { tenant, id: "x", relayAt: START });
      expect(await use().executions.markRelayed(handle, { relayedSeq: 1, relayAt: null })).toBeDefined();
      const held = await claimed(use(), handle, "worker");
      expect(held.execution.owner).toBe("worker");
      // It says again what the read said: handed on once more, which is what is promised.
      expect(await placeOf(tenant, "x")).toEqual({ relayedSeq: undefined, relayAt: START });
    });
  });
}
