import { describe, expect, test } from "vitest";
import { aDecision, allPages, at, claimed, commitOn, newTenant, start } from "./fixtures.ts";
import { sharedStore } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function decisionsSuite(adapter: StoreUnderTest): void {
  describe("decision records", () => {
    const { use } = sharedStore(adapter);

    test("a record that is there stays, whatever a later commit brings", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const first = aDecision(handle.execution, { id: "d", selected: "ship" });
      const next = await use().executions.commit(commitOn(handle, { lastSeq: 3 }, { decisions: [first] }));
      const again = await use().executions.commit(
        commitOn(next, { lastSeq: 4 }, { decisions: [{ ...first, selected: "refuse" }, aDecision(handle.execution, { id: "d2" })] }),
      );
      expect(await use().decisions.get(handle.execution.tenant, "d")).toEqual(first);
      expect(await use().decisions.get(handle.execution.tenant, "d2")).toBeDefined();
      expect(again.execution.lastSeq).toBe(4);
    });

    test("an unknown id is undefined", async () => {
      expect(await use().decisions.get(newTenant(), "nobody")).toBeUndefined();
    });

    test("listOf gives all records of each execution, oldest first", async () => {
      const tenant = newTenant();
      const [first, second] = [
        await claimed(use(), await start(use(), { tenant }), "a"),
        await claimed(use(), await start(use(), { tenant }), "a"),
      ];
      const record = (handle: typeof first, id: string, n: number) => aDecision(handle.execution, { id, at: at(n) });
      await use().executions.commit(commitOn(first, { lastSeq: 3 }, { decisions: [record(first, "d2", 2), record(first, "d1", 1)] }));
      await use().executions.commit(commitOn(second, { lastSeq: 3 }, { decisions: [record(second, "d3", 3)] }));
      const listed = await use().decisions.listOf(tenant, [first.execution.id, second.execution.id]);
      expect(listed.get(first.execution.id)?.map((each) => each.id)).toEqual(["d1", "d2"]);
      expect(listed.get(second.execution.id)?.map((each) => each.id)).toEqual(["d3"]);
      expect((await use().decisions.listOf(newTenant(), [first.execution.id])).get(first.execution.id) ?? []).toEqual([]);
    });

    test("lists are newest first, filtered and paged", async () => {
      const tenant = newTenant();
      const first = await claimed(use(), await start(use(), { tenant, workflowId: "a" }), "a");
      const second = await claimed(use(), await start(use(), { tenant, workflowId: "b" }), "a");
      const records = Array.from({ length: 7 }, (_, n) =>
        aDecision(first.execution, { id: `d${n}`, at: at(n), stepId: n % 2 === 0 ? "even" : "odd" }),
      );
      await use().executions.commit(commitOn(first, { lastSeq: 3 }, { decisions: records }));
      await use().executions.commit(
        commitOn(second, { lastSeq: 3 }, { decisions: [aDecision(second.execution, { id: "other", at: at(50) })] }),
      );
      const ids = async (filter: { executionId?: string; workflowId?: string; stepId?: string }) =>
        (await allPages((pageToken) => use().decisions.list(tenant, { ...filter, pageSize: 3, pageToken }))).map((record) => record.id);
      expect(await ids({})).toEqual(["other", "d6", "d5", "d4", "d3", "d2", "d1", "d0"]);
      expect(await ids({ executionId: first.execution.id })).toEqual(["d6", "d5", "d4", "d3", "d2", "d1", "d0"]);
      expect(await ids({ workflowId: "b" })).toEqual(["other"]);
      expect(await ids({ workflowId: "a", stepId: "even" })).toEqual(["d6", "d4", "d2", "d0"]);
      expect(await ids({ executionId: first.execution.id, stepId: "odd" })).toEqual(["d5", "d3", "d1"]);
    });
  });
}
