import { describe, expect, test } from "vitest";
import { at, claimed, commitOn, newTenant, START, start } from "./fixtures.ts";
import { sharedStore } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

const NOTHING = { total: 0, pending: 0, running: 0, paused: 0, completed: 0, failed: 0, cancelled: 0 };

export function executionStatsSuite(adapter: StoreUnderTest): void {
  describe("statistics of executions", () => {
    const { use } = sharedStore(adapter);

    async function ended(tenant: string, workflowId: string, status: "COMPLETED" | "FAILED" | "CANCELLED", startMs: number, endMs: number) {
      const pending = await start(use(), { tenant, workflowId, createdAt: at(startMs) });
      const running = await claimed(use(), pending, "a", START + startMs);
      await use().executions.commit(
        commitOn(running, { status, owner: null, leaseUntil: null, wakeAt: null, endedAt: at(endMs), lastSeq: 3 }),
      );
    }

    test("every status is counted, per workflow", async () => {
      const tenant = newTenant();
      await ended(tenant, "a", "COMPLETED", 0, 100);
      await ended(tenant, "a", "COMPLETED", 1_000, 1_300);
      await ended(tenant, "a", "COMPLETED", 2_000, 2_200);
      await ended(tenant, "a", "FAILED", 3_000, 3_200);
      await start(use(), { tenant, workflowId: "a", createdAt: at(5_000) });
      await start(use(), { tenant, workflowId: "a", createdAt: at(4_000), status: "PAUSED" });
      await claimed(use(), await start(use(), { tenant, workflowId: "b" }), "a");
      await ended(tenant, "b", "CANCELLED", 10, 20);
      const stats = await use().executions.stats(tenant, ["a", "b"]);
      expect(stats.get("a")).toMatchObject({
        ...NOTHING,
        total: 6,
        pending: 1,
        paused: 1,
        completed: 3,
        failed: 1,
        successRate: 0.75,
        lastExecuted: at(5_000),
      });
      expect(stats.get("b")).toMatchObject({ ...NOTHING, total: 2, running: 1, cancelled: 1, successRate: null, lastExecuted: at(10) });
    });

    test("the mean duration is that from the start to the end of all that were completed", async () => {
      const tenant = newTenant();
      await ended(tenant, "a", "COMPLETED", 0, 100);
      await ended(tenant, "a", "COMPLETED", 1_000, 1_300);
      await ended(tenant, "a", "FAILED", 0, 90_000);
      await claimed(use(), await start(use(), { tenant, workflowId: "a" }), "a");
      expect((await use().executions.stats(tenant, ["a"])).get("a")?.averageDurationMs).toBe(200);
    });

    test("a workflow nobody ran has a row of zeros", async () => {
      const stats = await use().executions.stats(newTenant(), ["never"]);
      expect([...stats]).toEqual([["never", { ...NOTHING, successRate: null, averageDurationMs: null, lastExecuted: null }]]);
      expect((await use().executions.stats(newTenant(), [])).size).toBe(0);
    });

    test("a create that found the execution there already counts once, a refused commit not at all", async () => {
      const tenant = newTenant();
      const pending = await start(use(), { tenant, workflowId: "a", idempotencyKey: "k" });
      await start(use(), { tenant, workflowId: "a", idempotencyKey: "k" });
      await claimed(use(), pending, "first");
      await expect(claimed(use(), pending, "second")).rejects.toMatchObject({ code: "LEASE_LOST" });
      expect((await use().executions.stats(tenant, ["a"])).get("a")).toMatchObject({ ...NOTHING, total: 1, running: 1 });
    });
  });
}
