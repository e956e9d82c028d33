import { describe, expect, test } from "vitest";
import { anExecution, newTenant, someEvents, start } from "./fixtures.ts";
import { sharedStore, withSecond } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

export function creationSuite(adapter: StoreUnderTest): void {
  describe("creating executions", () => {
    const { use } = sharedStore(adapter);

    test("a created execution is there with its first events", async () => {
      const execution = anExecution({ tenant: newTenant(), lastSeq: 2, input: { order: 7 } });
      const created = await use().executions.create(execution, someEvents(1, 2));
      expect(created).toMatchObject({ created: true, execution });
      expect((await use().executions.get(execution.tenant, execution.id))?.execution).toEqual(execution);
      expect(await use().events.after(execution.tenant, execution.id, 0, 10)).toEqual(someEvents(1, 2));
    });

    test("an unknown id is undefined", async () => {
      expect(await use().executions.get(newTenant(), "nobody")).toBeUndefined();
    });

    test("the same id gives the first one again and writes nothing", async () => {
      const first = anExecution({ tenant: newTenant(), input: { n: 1 } });
      await use().executions.create(first, someEvents(1, 1));
      const again = await use().executions.create({ ...first, input: { n: 2 }, lastSeq: 3 }, someEvents(1, 3));
      expect(again.created).toBe(false);
      expect(again.execution).toEqual(first);
      expect(await use().events.after(first.tenant, first.id, 0, 10)).toHaveLength(1);
    });

    test("the same idempotency key gives the first one again, as it is now", async () => {
      const tenant = newTenant();
      const first = anExecution({ tenant, idempotencyKey: "order 7/a" });
      await use().executions.create(first, someEvents(1, 1));
      const second = anExecution({ tenant, idempotencyKey: "order 7/a" });
      const again = await use().executions.create(second, someEvents(1, 1));
      expect(again).toMatchObject({ created: false, execution: first });
      expect(await use().executions.get(tenant, second.id)).toBeUndefined();
      expect(await use().events.after(tenant, second.id, 0, 10)).toEqual([]);
    });

    test("one idempotency key twenty times at once makes one execution", async () => {
      const tenant = newTenant();
      const handles = await Promise.all(Array.from({ length: 20 }, () => start(use(), { tenant, idempotencyKey: "once" })));
      expect(handles.filter((handle) => "created" in handle && handle.created)).toHaveLength(1);
      expect(new Set(handles.map((handle) => handle.execution.id)).size).toBe(1);
      expect((await use().executions.list(tenant, { pageSize: 50 })).items).toHaveLength(1);
    });

    test("executions without a key never meet", async () => {
      const tenant = newTenant();
      await start(use(), { tenant });
      await start(use(), { tenant });
      expect((await use().executions.list(tenant, { pageSize: 50 })).items).toHaveLength(2);
    });

    test.runIf(adapter.openSecond)("two handles with one key make one execution", async () => {
      await withSecond(adapter, use(), async (second) => {
        const tenant = newTenant();
        const handles = await Promise.all(
          Array.from({ length: 20 }, (_, index) => start(index % 2 === 0 ? use() : second, { tenant, idempotencyKey: "once" })),
        );
        expect(handles.filter((handle) => "created" in handle && handle.created)).toHaveLength(1);
        expect(new Set(handles.map((handle) => handle.execution.id)).size).toBe(1);
      });
    });

    test("a handle from create can be committed on without reading first", async () => {
      const handle = await start(use(), { tenant: newTenant() });
      const { token } = handle;
      const read = await use().executions.get(handle.execution.tenant, handle.execution.id);
      expect(read?.token).toEqual(token);
    });

    test("getMany gives those that are there", async () => {
      const tenant = newTenant();
      for (const id of ["a", "b", "c"]) await start(use(), { tenant, id });
      const found = await use().executions.getMany(tenant, ["b", "missing", "c"]);
      expect(found.map((execution) => execution.id).toSorted()).toEqual(["b", "c"]);
    });
  });
}
