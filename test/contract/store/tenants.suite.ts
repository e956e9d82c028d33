import { randomUUID } from "node:crypto";
import { describe, expect, test } from "vitest";
import type { ExecutionEvent } from "../../../src/definition/event.ts";
import {
  aCheckpointPut,
  aDecision,
  aMessage,
  at,
  aWait,
  aWorkflow,
  claimed,
  commitOn,
  newTenant,
  START,
  start,
  watching,
} from "./fixtures.ts";
import { sharedStore } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

/** The same ids everywhere: whatever leaks between tenants shows. */
const ID = "same";

export function tenantsSuite(adapter: StoreUnderTest): void {
  describe("tenants", () => {
    const { use } = sharedStore(adapter);

    /** A tenant with one of everything, each thing marked with the tenant's name. */
    async function furnished(executionId: string) {
      const tenant = newTenant();
      const workflow = aWorkflow({ tenant, id: ID });
      await use().workflows.create({ ...workflow, definition: { ...workflow.definition, name: tenant } });
      const handle = await claimed(
        use(),
        await start(use(), { tenant, id: executionId, workflowId: ID, idempotencyKey: ID, input: { mark: tenant } }),
        "a",
      );
      const done = await use().executions.commit(
        commitOn(
          handle,
          { lastSeq: 3 },
          {
            events: [
              { seq: 3, at: at(3), type: "step.started", stepId: "s", visit: 1, branch: null, attempt: 1, summary: tenant, data: {} },
            ],
            checkpoints: [aCheckpointPut({ mark: tenant })],
            decisions: [aDecision(handle.execution, { id: ID, rationale: tenant })],
            openWaits: [aWait(handle.execution, { id: ID, title: tenant })],
            values: [{ ref: ID, value: tenant }],
          },
        ),
      );
      await use().inbox.send(aMessage(done.execution, { id: ID, principal: tenant }));
      return { tenant, handle: done };
    }

    test("the same ids in two tenants never meet", async () => {
      const executionId = `e-${randomUUID()}`;
      for (const { tenant } of [await furnished(executionId), await furnished(executionId)]) {
        const store = use();
        expect((await store.workflows.get(tenant, ID))?.definition.name).toBe(tenant);
        expect((await store.workflows.getVersion(tenant, ID, 1))?.name).toBe(tenant);
        expect((await store.executions.get(tenant, executionId))?.execution.input).toEqual({ mark: tenant });
        expect((await store.events.after(tenant, executionId, 0, 10)).at(-1)?.summary).toBe(tenant);
        expect((await store.events.values(tenant, executionId, [ID])).get(ID)).toBe(tenant);
        expect((await store.inbox.list(tenant, executionId)).map((message) => message.principal)).toEqual([tenant]);
        expect((await store.waits.get(tenant, ID))?.title).toBe(tenant);
        expect((await store.decisions.get(tenant, ID))?.rationale).toBe(tenant);
        expect((await store.executions.stats(tenant, [ID])).get(ID)?.total).toBe(1);
      }
    });

    test("the checkpoints of the same execution id in two tenants never meet", async () => {
      const executionId = `e-${randomUUID()}`;
      for (const { tenant } of [await furnished(executionId), await furnished(executionId)]) {
        const tuple = await use().checkpointer.getTuple({ configurable: { tenant, thread_id: executionId, checkpoint_ns: "" } });
        expect(tuple?.checkpoint.channel_values).toEqual({ mark: tenant });
      }
    });

    test("an execution's checkpoints are found by its id alone while it is the only one", async () => {
      const executionId = `e-${randomUUID()}`;
      const { tenant } = await furnished(executionId);
      const tuple = await use().checkpointer.getTuple({ configurable: { thread_id: executionId, checkpoint_ns: "" } });
      expect(tuple?.checkpoint.channel_values).toEqual({ mark: tenant });
    });

    test("another tenant reads, lists and answers nothing", async () => {
      const executionId = `e-${randomUUID()}`;
      const { tenant } = await furnished(executionId);
      const foreign = newTenant();
      const store = use();
      const page = { pageSize: 10 };
      expect(await store.workflows.get(foreign, ID)).toBeUndefined();
      expect(await store.workflows.getVersion(foreign, ID, 1)).toBeUndefined();
      expect(await store.workflows.getMany(foreign, [ID])).toEqual([]);
      expect(await store.workflows.list(foreign, page)).toEqual({ items: [] });
      expect(await store.executions.get(foreign, executionId)).toBeUndefined();
      expect(await store.executions.getMany(foreign, [executionId])).toEqual([]);
      expect(await store.executions.list(foreign, page)).toEqual({ items: [] });
      expect((await store.executions.stats(foreign, [ID])).get(ID)?.total).toBe(0);
      expect(await store.events.after(foreign, executionId, 0, 10)).toEqual([]);
      expect(await store.events.before(foreign, executionId, 10, 10)).toEqual([]);
      expect((await store.events.values(foreign, executionId, [ID])).size).toBe(0);
      expect(await store.inbox.list(foreign, executionId)).toEqual([]);
      expect(await store.waits.get(foreign, ID)).toBeUndefined();
      expect(await store.waits.list(foreign, { ...page, executionId })).toEqual({ items: [] });
      expect(
        await store.waits.answer(foreign, ID, "answered", { by: "given", principal: "eve", at: at(1), data: {} }, null),
      ).toBeUndefined();
      expect(await store.decisions.get(foreign, ID)).toBeUndefined();
      expect(await store.decisions.list(foreign, { ...page, executionId })).toEqual({ items: [] });
      expect(
        await store.checkpointer.getTuple({ configurable: { tenant: foreign, thread_id: executionId, checkpoint_ns: "" } }),
      ).toBeUndefined();
      expect((await store.waits.get(tenant, ID))?.status).toBe("open");
    });

    test("a commit in one tenant leaves the same id in another as it was", async () => {
      const executionId = `e-${randomUUID()}`;
      const [first, second] = [await furnished(executionId), await furnished(executionId)];
      await use().executions.commit(
        commitOn(
          first.handle,
          { lastSeq: 4, status: "COMPLETED", wakeAt: null },
          { consumed: [ID], closeWaits: [{ id: ID, status: "cancelled" }] },
        ),
      );
      const { tenant } = second;
      expect((await use().executions.get(tenant, executionId))?.execution).toEqual(second.handle.execution);
      expect(await use().events.after(tenant, executionId, 3, 10)).toEqual([]);
      expect(await use().inbox.list(tenant, executionId)).toHaveLength(1);
      expect((await use().waits.get(tenant, ID))?.status).toBe("open");
    });

    test("a watcher hears nothing of the same id in another tenant", async () => {
      const executionId = `e-${randomUUID()}`;
      const [first, second] = [await furnished(executionId), await furnished(executionId)];
      const foreign = watching<[ExecutionEvent[]]>((onChange) => use().events.watch(second.tenant, executionId, onChange));
      const own = watching((onChange) => use().events.watch(first.tenant, executionId, onChange));
      const next = await use().executions.commit(commitOn(first.handle, { lastSeq: 4 }));
      await use().executions.commit(commitOn(next, { lastSeq: 5, wakeAt: START }));
      await own.until((calls) => calls.length > 0);
      for (const event of foreign.calls.flatMap(([events]) => events)) expect(event.seq).toBeLessThanOrEqual(3);
      foreign.stop();
      own.stop();
    });
  });
}
