import { describe, expect, test } from "vitest";
import type { Json } from "../../../src/definition/json.ts";
import { claimed, commitOn, newTenant, someEvents, start } from "./fixtures.ts";
import { sharedStore } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function eventsSuite(adapter: StoreUnderTest): void {
  describe("events", () => {
    const { use } = sharedStore(adapter);

    /** An execution with 20 events in pages of uneven size: 1, 1, 3, 7, 1, 7. */
    async function history() {
      let handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      for (const lastSeq of [5, 12, 13, 20]) handle = await use().executions.commit(commitOn(handle, { lastSeq }));
      return handle.execution;
    }

    test("after any seq come exactly those that follow, oldest first", async () => {
      const { tenant, id } = await history();
      for (let afterSeq = 0; afterSeq <= 21; afterSeq += 1) {
        expect(await use().events.after(tenant, id, afterSeq, 100)).toEqual(someEvents(afterSeq + 1, 20));
      }
    });

    test("the limit of `after` holds inside and across pages", async () => {
      const { tenant, id } = await history();
      for (const limit of [1, 2, 3, 6, 19]) {
        expect(await use().events.after(tenant, id, 1, limit)).toEqual(someEvents(2, Math.min(1 + limit, 20)));
        expect(await use().events.after(tenant, id, 6, limit)).toEqual(someEvents(7, Math.min(6 + limit, 20)));
      }
    });

    test("before any seq come the newest of those that precede, oldest first", async () => {
      const { tenant, id } = await history();
      for (const limit of [1, 2, 5, 100]) {
        for (let beforeSeq = 1; beforeSeq <= 22; beforeSeq += 1) {
          const last = Math.min(beforeSeq - 1, 20);
          expect(await use().events.before(tenant, id, beforeSeq, limit)).toEqual(someEvents(Math.max(1, last - limit + 1), last));
        }
      }
    });

    test("pagesOf gives of each execution what `after` or `before` would", async () => {
      const tenant = newTenant();
      const ids: string[] = [];
      for (const lastSeq of [4, 9, 2]) {
        const handle = await claimed(use(), await start(use(), { tenant }), "a");
        if (lastSeq > 2) await use().executions.commit(commitOn(handle, { lastSeq }));
        ids.push(handle.execution.id);
      }
      for (const page of [
        { afterSeq: 1, limit: 4 },
        { beforeSeq: 7, limit: 4 },
        { afterSeq: 0, limit: 100 },
      ]) {
        const pages = await use().events.pagesOf(tenant, ids, page);
        for (const id of ids) {
          const alone =
            "afterSeq" in page
              ? use().events.after(tenant, id, page.afterSeq, page.limit)
              : use().events.before(tenant, id, page.beforeSeq, page.limit);
          expect(pages.get(id)).toEqual(await alone);
        }
      }
      expect((await use().events.pagesOf(tenant, [], { afterSeq: 0, limit: 5 })).size).toBe(0);
    });

    test("an execution that is not there has no events", async () => {
      expect(await use().events.after(newTenant(), "nobody", 0, 10)).toEqual([]);
      expect(await use().events.before(newTenant(), "nobody", 10, 10)).toEqual([]);
    });

    test("values are read by reference and stored once", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      const values: { ref: string; value: Json }[] = [
        { ref: "a", value: null },
        { ref: "b", value: ["x", { y: [1, [2]] }] },
        { ref: "c", value: "text" },
      ];
      const next = await use().executions.commit(commitOn(handle, { lastSeq: 3 }, { values }));
      await use().executions.commit(
        commitOn(
          next,
          { lastSeq: 4 },
          {
            values: [
              { ref: "c", value: "text" },
              { ref: "d", value: 4 },
            ],
          },
        ),
      );
      const found = await use().events.values(tenant, id, ["d", "missing", "a", "b", "c"]);
      expect(new Map([...found].toSorted())).toEqual(
        new Map<string, Json>([...values.map(({ ref, value }) => [ref, value] as const), ["d", 4]]),
      );
      expect((await use().events.values(tenant, id, [])).size).toBe(0);
    });
  });
}
