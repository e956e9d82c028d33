import { describe, expect, test } from "vitest";
import type { Wait } from "../../../src/definition/wait.ts";
import { allPages, at, childOf, claimed, commitOn, newTenant, someEvents, start } from "./fixtures.ts";
import { sharedStore } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function executionListsSuite(adapter: StoreUnderTest): void {
  describe("lists of executions", () => {
    const { use } = sharedStore(adapter);

    test("pages come newest first, without repeat or gap, while executions are added", async () => {
      const tenant = newTenant();
      // Three share one instant, so that the id has to break the tie between two pages.
      for (let n = 0; n < 9; n += 1) await start(use(), { tenant, id: `e${n}`, createdAt: at(n < 3 ? 0 : n) });
      let late = 0;
      const all = await allPages(async (pageToken) => {
        const page = await use().executions.list(tenant, { pageSize: 2, pageToken });
        late += 1;
        await start(use(), { tenant, id: `late${late}`, createdAt: at(1_000 + late) });
        return page;
      });
      const ids = all.map((execution) => execution.id);
      expect(ids.slice(0, 6)).toEqual(["e8", "e7", "e6", "e5", "e4", "e3"]);
      expect(ids.slice(6).toSorted()).toEqual(["e0", "e1", "e2"]);
    });

    test("the last page has no token, a full list of exactly one page included", async () => {
      const tenant = newTenant();
      for (let n = 0; n < 4; n += 1) await start(use(), { tenant, createdAt: at(n) });
      expect((await use().executions.list(tenant, { pageSize: 4 })).nextPageToken).toBeUndefined();
      expect((await use().executions.list(tenant, { pageSize: 5 })).nextPageToken).toBeUndefined();
      expect((await use().executions.list(tenant, { pageSize: 3 })).nextPageToken).toBeDefined();
      expect(await use().executions.list(newTenant(), { pageSize: 3 })).toEqual({ items: [] });
    });

    test("filters by workflow, by status and by both page as well", async () => {
      const tenant = newTenant();
      for (let n = 0; n < 12; n += 1) {
        await start(use(), {
          tenant,
          id: `e${n}`,
          createdAt: at(n),
          workflowId: n % 2 === 0 ? "even" : "odd",
          status: n % 3 === 0 ? "PAUSED" : "PENDING",
        });
      }
      const ids = async (filter: { workflowId?: string; status?: "PAUSED" | "PENDING" | "FAILED" }) =>
        (await allPages((pageToken) => use().executions.list(tenant, { ...filter, pageSize: 2, pageToken }))).map(
          (execution) => execution.id,
        );
      expect(await ids({ workflowId: "even" })).toEqual(["e10", "e8", "e6", "e4", "e2", "e0"]);
      expect(await ids({ status: "PAUSED" })).toEqual(["e9", "e6", "e3", "e0"]);
      expect(await ids({ workflowId: "odd", status: "PAUSED" })).toEqual(["e9", "e3"]);
      expect(await ids({ status: "FAILED" })).toEqual([]);
    });

    test("recentOf gives the newest of each workflow, none for a workflow without any", async () => {
      const tenant = newTenant();
      for (let n = 0; n < 5; n += 1) {
        await start(use(), { tenant, id: `a${n}`, workflowId: "a", createdAt: at(n) });
        if (n < 2) await start(use(), { tenant, id: `b${n}`, workflowId: "b", createdAt: at(n) });
      }
      const recent = await use().executions.recentOf(tenant, ["a", "b", "never"], 3);
      const ids = Object.fromEntries(
        [...recent].map(([workflowId, executions]) => [workflowId, executions.map((execution) => execution.id)]),
      );
      expect(ids).toEqual({ a: ["a4", "a3", "a2"], b: ["b1", "b0"] });
      expect((await use().executions.recentOf(tenant, [], 3)).size).toBe(0);
      expect((await use().executions.recentOf(newTenant(), ["a"], 3)).size).toBe(0);
    });

    test("what an execution started is listed alone, newest first, by the other filters as well, whether created or begun in a commit", async () => {
      const tenant = newTenant();
      const parent = await claimed(use(), await start(use(), { tenant, id: "parent" }), "a");
      const child = (n: number) => childOf(parent.execution, { id: `c${n}`, createdAt: at(n), workflowId: n % 2 === 0 ? "even" : "odd" });
      for (let n = 0; n < 3; n += 1) await use().executions.create(child(n), someEvents(1, 2));
      const starts = [3, 4].map((n) => ({ execution: child(n), events: someEvents(1, 2) }));
      await use().executions.commit(commitOn(parent, { lastSeq: 3 }, { starts }));
      await use().executions.create(childOf({ tenant, id: "another" }, { id: "not-its" }), someEvents(1, 2));
      const ids = async (filter: { workflowId?: string; status?: "PENDING" | "FAILED" }) =>
        (await allPages((pageToken) => use().executions.list(tenant, { ...filter, parentId: "parent", pageSize: 2, pageToken }))).map(
          ({ id }) => id,
        );
      expect(await ids({})).toEqual(["c4", "c3", "c2", "c1", "c0"]);
      expect(await ids({ workflowId: "even", status: "PENDING" })).toEqual(["c4", "c2", "c0"]);
      expect(await ids({ status: "FAILED" })).toEqual([]);
      const children = await use().executions.childrenOf(tenant, ["parent", "another", "none"], 3);
      expect([...children].map(([id, found]) => [id, found.map((execution) => execution.id)])).toEqual([
        ["parent", ["c4", "c3", "c2"]],
        ["another", ["not-its"]],
      ]);
    });

    test("a list follows the status", async () => {
      const tenant = newTenant();
      const handle = await claimed(use(), await start(use(), { tenant }), "a");
      await use().executions.commit(commitOn(handle, { status: "COMPLETED", endedAt: at(1), lastSeq: 3 }));
      expect((await use().executions.list(tenant, { status: "PENDING", pageSize: 5 })).items).toEqual([]);
      expect((await use().executions.list(tenant, { status: "RUNNING", pageSize: 5 })).items).toEqual([]);
      expect((await use().executions.list(tenant, { status: "COMPLETED", pageSize: 5 })).items).toHaveLength(1);
    });

    test("dead letters are what failed or is paused by a failure, by any filter, in pages; the dismissed ones are apart", async () => {
      const tenant = newTenant();
      const error = (code: string, stepId: string) => ({ code, message: code, stepId, visit: 1, path: null, retryable: false });
      for (let n = 0; n < 8; n += 1) {
        const handle = await claimed(
          use(),
          await start(use(), { tenant, id: `e${n}`, createdAt: at(n), workflowId: n < 4 ? "a" : "b" }),
          "a",
        );
        const failure = aWaitInside(n);
        await use().executions.commit(
          commitOn(handle, {
            lastSeq: 3,
            status: n === 0 ? "COMPLETED" : n < 3 ? "PAUSED" : "FAILED",
            waits: n === 1 ? [] : [failure],
            endedAt: n < 3 ? null : at(100 + n),
            updatedAt: at(50 + n),
            error: error(n % 2 ? "STEP_FAILED" : "NO_ROUTE", n > 5 ? "late" : "early"),
            ...(n === 7 && { dismissal: { by: "ann", at: at(200), note: null } }),
          }),
        );
      }
      const ids = async (filter: object) =>
        (
          await allPages((pageToken) => use().executions.deadLetters(tenant, { isDismissed: false, ...filter, pageSize: 2, pageToken }))
        ).map(({ id }) => id);
      expect(await ids({})).toEqual(["e6", "e5", "e4", "e3", "e2"]);
      expect(await ids({ isDismissed: true })).toEqual(["e7"]);
      expect(await ids({ workflowId: "a" })).toEqual(["e3", "e2"]);
      expect(await ids({ errorCode: "NO_ROUTE" })).toEqual(["e6", "e4", "e2"]);
      expect(await ids({ stepId: "late", errorCode: "NO_ROUTE", workflowId: "b" })).toEqual(["e6"]);
      expect(await ids({ failedAfter: at(103), failedBefore: at(106) })).toEqual(["e5", "e4"]);
      expect(await use().executions.deadLetters(newTenant(), { isDismissed: false, pageSize: 5 })).toEqual({ items: [] });
    });

    test("a page token that is none of ours is refused", async () => {
      const list = use().executions.list(newTenant(), { pageSize: 2, pageToken: "AAAA" });
      await expect(list).rejects.toMatchObject({ code: "INVALID_PAGE_TOKEN" });
    });
  });
}

function aWaitInside(n: number): Wait {
  return {
    id: `failure-${n}`,
    kind: "failure",
    stepId: "s",
    path: "s",
    branch: null,
    visit: 1,
    attempt: 1,
    interruptId: "i",
    since: at(0),
    dueAt: null,
    state: null,
    isListed: false,
    answer: null,
  };
}
