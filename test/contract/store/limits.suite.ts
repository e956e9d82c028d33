import { describe, expect, test } from "vitest";
import type { LimitChanges } from "../../../src/ports/limits.ts";
import { anExecution, claimOn, commitOn, newTenant, refusalCodes, someEvents, START, start } from "./fixtures.ts";
import { sharedStore, withSecond } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

const LIMIT = "workflow:orders:a/b é";
const changes = (over: Partial<LimitChanges>): LimitChanges => ({ take: [], give: [], join: null, leave: null, ...over });
const permit = (number: number, limit = LIMIT) => ({ limit, number });

export function limitsSuite(adapter: StoreUnderTest): void {
  describe("limits", () => {
    const { use } = sharedStore(adapter);
    const look = (tenant: string, length = 10) => use().limits.look(tenant, LIMIT, length);

    test("nothing is taken and nobody waits under a limit nobody has heard of", async () => {
      expect(await look(newTenant())).toEqual({ taken: [], line: [] });
      expect(await use().limits.list(newTenant(), 10)).toEqual([]);
    });

    test("a permit is taken with a commit and given back with another one", async () => {
      const tenant = newTenant();
      const pending = await start(use(), { tenant });
      const handle = await use().executions.commit({
        ...claimOn(pending, "a"),
        limits: changes({ take: [permit(3), permit(0, "tenant")] }),
      });
      expect((await look(tenant)).taken).toEqual([3]);
      expect(await use().limits.list(tenant, 10)).toEqual([
        { limit: "tenant", taken: 1, waiting: 0 },
        { limit: LIMIT, taken: 1, waiting: 0 },
      ]);
      const over = { status: "COMPLETED" as const, lastSeq: 3 };
      await use().executions.commit(commitOn(handle, over, { limits: changes({ give: [permit(3), permit(0, "tenant")] }) }));
      expect((await look(tenant)).taken).toEqual([]);
      expect(await use().limits.list(tenant, 10)).toEqual([]);
    });

    test("a permit another execution has is LIMIT_EXCEEDED, and nothing of that commit is there", async () => {
      const tenant = newTenant();
      await use().executions.commit({ ...claimOn(await start(use(), { tenant }), "a"), limits: changes({ take: [permit(0)] }) });
      const second = await start(use(), { tenant });
      const claim = { ...claimOn(second, "b"), limits: changes({ take: [permit(0, "tenant"), permit(0)] }) };
      await expect(use().executions.commit(claim)).rejects.toMatchObject({ code: "LIMIT_EXCEEDED", details: { limit: LIMIT } });
      expect((await use().executions.get(tenant, second.execution.id))?.execution).toEqual(second.execution);
      expect((await use().limits.look(tenant, "tenant", 1)).taken).toEqual([]);
      await use().executions.commit({ ...claimOn(second, "b"), limits: changes({ take: [permit(1)] }) });
      expect((await look(tenant)).taken).toEqual([0, 1]);
    });

    test("a commit that is found already applied has its permits once", async () => {
      const tenant = newTenant();
      const claim = { ...claimOn(await start(use(), { tenant }), "a"), limits: changes({ take: [permit(0)] }) };
      await use().executions.commit(claim);
      await use().executions.commit(claim);
      expect((await look(tenant)).taken).toEqual([0]);
    });

    test("of twenty claims that want one permit, one has it and nineteen left nothing", async () => {
      const tenant = newTenant();
      const pending = await Promise.all(Array.from({ length: 20 }, () => start(use(), { tenant })));
      const claims = pending.map((handle) => use().executions.commit({ ...claimOn(handle, "a"), limits: changes({ take: [permit(0)] }) }));
      const outcomes = await Promise.allSettled(claims);
      expect(refusalCodes(outcomes)).toEqual(Array.from({ length: 19 }, () => "LIMIT_EXCEEDED"));
      expect((await use().executions.list(tenant, { status: "RUNNING", pageSize: 50 })).items).toHaveLength(1);
    });

    test("a stale holder gives nothing back", async () => {
      const tenant = newTenant();
      const stale = await use().executions.commit({
        ...claimOn(await start(use(), { tenant }), "a"),
        limits: changes({ take: [permit(0)] }),
      });
      await use().executions.commit(claimOn(stale, "b", START + 20_000));
      const late = commitOn(stale, { status: "FAILED", lastSeq: 3 }, { limits: changes({ give: [permit(0)] }) });
      await expect(use().executions.commit(late)).rejects.toMatchObject({ code: "LEASE_LOST" });
      expect((await look(tenant)).taken).toEqual([0]);
    });

    test("an execution is created with its permits, or not at all; one that is there already is found whoever has them", async () => {
      const tenant = newTenant();
      const create = (over: object) => {
        const execution = anExecution({ tenant, permits: [permit(0)], ...over });
        return use().executions.create(execution, someEvents(1, 1));
      };
      const first = await create({ id: "first", idempotencyKey: "k" });
      expect(first.created).toBe(true);
      await expect(create({ id: "second" })).rejects.toMatchObject({ code: "LIMIT_EXCEEDED", details: { limit: LIMIT } });
      expect(await use().executions.get(tenant, "second")).toBeUndefined();
      expect(await create({ id: "third", idempotencyKey: "k" })).toMatchObject({ created: false, execution: { id: "first" } });
      expect(await create({ id: "first" })).toMatchObject({ created: false, execution: { id: "first" } });
      expect((await look(tenant)).taken).toEqual([0]);
    });

    test("a line is ordered by rank, also by negative ones; who leaves is gone, who joins again is there once", async () => {
      const tenant = newTenant();
      const ranks = { c: 30, a: -5, b: 20, d: 40 };
      for (const [id, rank] of Object.entries(ranks)) {
        const join = { limit: LIMIT, rank, until: START };
        await use().executions.commit(commitOn(await start(use(), { tenant, id }), { lastSeq: 2 }, { limits: changes({ join }) }));
      }
      const inLine = async (length?: number) => (await look(tenant, length)).line.map(({ executionId }) => executionId);
      expect(await inLine()).toEqual(["a", "b", "c", "d"]);
      expect(await inLine(2)).toEqual(["a", "b"]);
      const b = await use().executions.get(tenant, "b");
      if (!b) throw new Error("b is there");
      const again = await use().executions.commit(
        commitOn(b, { lastSeq: 3 }, { limits: changes({ join: { limit: LIMIT, rank: 20, until: START + 9 } }) }),
      );
      expect((await look(tenant)).line[1]).toEqual({ executionId: "b", rank: 20, until: START + 9 });
      await use().executions.commit(commitOn(again, { lastSeq: 4 }, { limits: changes({ leave: { limit: LIMIT, rank: 20 } }) }));
      expect(await inLine()).toEqual(["a", "c", "d"]);
      expect(await use().limits.list(tenant, 10)).toEqual([{ limit: LIMIT, taken: 0, waiting: 3 }]);
    });

    test.runIf(adapter.openSecond)("what one handle takes the other one sees", async () => {
      await withSecond(adapter, use(), async (second) => {
        const tenant = newTenant();
        await use().executions.commit({ ...claimOn(await start(use(), { tenant }), "a"), limits: changes({ take: [permit(7)] }) });
        expect((await second.limits.look(tenant, LIMIT, 1)).taken).toEqual([7]);
      });
    });
  });
}
