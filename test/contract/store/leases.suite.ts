import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import { at, claimed, commitOn, newTenant, START, start } from "./fixtures.ts";
import { sharedStore } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function leasesSuite(adapter: StoreUnderTest): void {
  describe("due executions and leases", () => {
    const { use } = sharedStore(adapter);
    // `due` and `ownedBy` look over all tenants, hence the filter by the test's own.
    const dueIds = async (tenant: string, now: number, limit = 1_000) =>
      (await use().executions.due(now, limit)).filter((ref) => ref.tenant === tenant).map((ref) => ref.id);

    test("due are those with wakeAt up to now, earliest first", async () => {
      const tenant = newTenant();
      for (const [id, wakeAt] of [
        ["c", 30],
        ["a", 10],
        ["never", null],
        ["d", 40],
        ["b", 20],
      ] as const) {
        await start(use(), { tenant, id, wakeAt: wakeAt === null ? null : START + wakeAt });
      }
      expect(await dueIds(tenant, START + 30)).toEqual(["a", "b", "c"]);
      expect(await dueIds(tenant, START + 1_000)).toEqual(["a", "b", "c", "d"]);
      expect(await dueIds(tenant, START + 9)).toEqual([]);
    });

    test("the limit keeps the earliest", async () => {
      const tenant = newTenant();
      const early = START - 1_000_000;
      for (let n = 5; n >= 1; n -= 1) await start(use(), { tenant, id: `e${n}`, wakeAt: early + n });
      const facts = { tenant, status: "PENDING", createdAt: at(0), priority: 5 };
      expect(await use().executions.due(early + 100, 2)).toEqual([
        { ...facts, id: "e1", wakeAt: early + 1 },
        { ...facts, id: "e2", wakeAt: early + 2 },
      ]);
    });

    test("due ones of one status are not hidden behind those of another", async () => {
      const tenant = newTenant();
      const early = START - 2_000_000;
      for (let n = 0; n < 5; n += 1) await start(use(), { tenant, id: `new${n}`, priority: 9, wakeAt: early });
      await claimed(use(), await start(use(), { tenant, id: "begun" }), "a", early);
      expect((await use().executions.due(early + 15_000, 3)).map(({ priority }) => priority)).toEqual([9, 9, 9]);
      expect(await use().executions.due(early + 15_000, 3, "RUNNING")).toMatchObject([{ tenant, id: "begun", wakeAt: early + 15_000 }]);
    });

    test("a claim takes an execution off the due list until its lease ends, an end for ever", async () => {
      const tenant = newTenant();
      const handle = await claimed(use(), await start(use(), { tenant, id: "e" }), "a");
      expect(await dueIds(tenant, START + 14_999)).toEqual([]);
      expect(await dueIds(tenant, START + 15_000)).toEqual(["e"]);
      await use().executions.commit(commitOn(handle, { status: "COMPLETED", owner: null, leaseUntil: null, wakeAt: null, lastSeq: 3 }));
      expect(await dueIds(tenant, START + 1_000_000)).toEqual([]);
    });

    test("ownedBy gives what is leased to an owner now", async () => {
      const tenant = newTenant();
      const [mine, other] = [`owner-${randomUUID()}`, `owner-${randomUUID()}`];
      const first = await claimed(use(), await start(use(), { tenant, id: "e1" }), mine);
      await claimed(use(), await start(use(), { tenant, id: "e2" }), mine);
      await claimed(use(), await start(use(), { tenant, id: "e3" }), other);
      const ids = async (owner: string, limit = 100) => (await use().executions.ownedBy(owner, limit)).map((ref) => ref.id).toSorted();
      expect(await ids(mine)).toEqual(["e1", "e2"]);
      expect(await ids(mine, 1)).toHaveLength(1);
      await use().executions.commit(commitOn(first, { owner: null, leaseUntil: null, wakeAt: null, lastSeq: 3 }));
      expect(await ids(mine)).toEqual(["e2"]);
      expect(await ids(other)).toEqual(["e3"]);
    });

    test("an owner nobody can prove anything about is not called dead", async () => {
      const owner = `owner-${randomUUID()}`;
      await claimed(use(), await start(use(), { tenant: newTenant() }), owner);
      expect(await use().executions.deadOwners(START)).not.toContain(owner);
    });
  });
}
