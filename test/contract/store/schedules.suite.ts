import { describe, expect, test } from "vitest";
import type { ScheduleCursor } from "../../../src/ports/schedules.ts";
import { newTenant, START } from "./fixtures.ts";
import { sharedStore, withSecond } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

function aCursor(over: Partial<ScheduleCursor> & { tenant: string }): ScheduleCursor {
  return {
    workflowId: "w",
    triggerId: "nightly",
    revision: 1,
    dueAt: START,
    signature: "0 3 * * * UTC",
    after: START,
    starting: [],
    waiting: [],
    last: null,
    ...over,
  };
}

export function schedulesSuite(adapter: StoreUnderTest): void {
  describe("schedules", () => {
    const { use } = sharedStore(adapter);
    const get = async ({ tenant, workflowId, triggerId }: ScheduleCursor) =>
      (await use().schedules.get(tenant, workflowId, triggerId)).cursor;
    const isBetween = (now: number, since: number) => now > since - 60_000 && now < Date.now() + 60_000;

    test("a cursor is read back as it was, and what is not there is undefined", async () => {
      const cursor = aCursor({ tenant: newTenant(), starting: [START], waiting: [START + 1], last: "e" });
      expect(await get(cursor)).toBeUndefined();
      expect(await use().schedules.put(cursor, null)).toBe(true);
      expect(await get(cursor)).toEqual(cursor);
      expect(await get({ ...cursor, triggerId: "other" })).toBeUndefined();
      expect(await get({ ...cursor, tenant: newTenant() })).toBeUndefined();
    });

    test("only a write based on the present revision counts", async () => {
      const cursor = aCursor({ tenant: newTenant() });
      await use().schedules.put(cursor, null);
      expect(await use().schedules.put({ ...cursor, last: "again" }, null)).toBe(false);
      expect(await use().schedules.put({ ...cursor, revision: 9, last: "stale" }, 8)).toBe(false);
      const next = { ...cursor, revision: 2, dueAt: START + 5 };
      expect(await use().schedules.put(next, 1)).toBe(true);
      expect(await get(cursor)).toEqual(next);
      expect(await use().schedules.put({ ...cursor, tenant: newTenant(), revision: 2 }, 1)).toBe(false);
    });

    test("of twenty moves based on one revision exactly one counts", async () => {
      const cursor = aCursor({ tenant: newTenant() });
      await use().schedules.put(cursor, null);
      const moves = Array.from({ length: 20 }, (_, index) => use().schedules.put({ ...cursor, revision: 2, last: `e${index}` }, 1));
      const outcomes = await Promise.all(moves);
      expect(outcomes.filter(Boolean)).toHaveLength(1);
      expect((await get(cursor))?.last).toBe(`e${outcomes.indexOf(true)}`);
    });

    test("a cursor is removed at its revision only, and once", async () => {
      const cursor = aCursor({ tenant: newTenant(), revision: 3 });
      const { tenant, workflowId, triggerId } = cursor;
      await use().schedules.put(cursor, null);
      expect(await use().schedules.remove(tenant, workflowId, triggerId, 2)).toBe(false);
      expect(await use().schedules.remove(tenant, workflowId, triggerId, 3)).toBe(true);
      expect(await use().schedules.remove(tenant, workflowId, triggerId, 3)).toBe(false);
      expect(await get(cursor)).toBeUndefined();
    });

    test("due ones of all tenants come earliest first, later ones do not, and reads tell the time", async () => {
      const tenants = [newTenant(), newTenant()];
      const early = aCursor({ tenant: tenants[0] ?? "", dueAt: START - 3_000_000 });
      const late = aCursor({ tenant: tenants[1] ?? "", dueAt: START - 2_000_000 });
      const notYet = aCursor({ tenant: tenants[1] ?? "", triggerId: "later", dueAt: START - 1_000_000 });
      for (const cursor of [late, notYet, early]) await use().schedules.put(cursor, null);
      const before = Date.now();
      const { now, cursors } = await use().schedules.due(START - 2_000_000, 100);
      expect(cursors.filter(({ tenant }) => tenants.includes(tenant))).toEqual([early, late]);
      expect(isBetween(now, before)).toBe(true);
      expect((await use().schedules.due(START - 2_000_000, 1)).cursors).toHaveLength(1);
      expect(isBetween((await use().schedules.get("none", "none", "none")).now, before)).toBe(true);
    });

    test.runIf(adapter.openSecond)("of two handles that move one cursor one succeeds", async () => {
      await withSecond(adapter, use(), async (second) => {
        const cursor = aCursor({ tenant: newTenant() });
        await use().schedules.put(cursor, null);
        const moved = { ...cursor, revision: 2 };
        const outcomes = await Promise.all([use().schedules.put(moved, 1), second.schedules.put(moved, 1)]);
        expect(outcomes.toSorted()).toEqual([false, true]);
      });
    });
  });
}
