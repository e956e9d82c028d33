import assert from "node:assert/strict";
import { describe, expect, test } from "vitest";
import type { Json, JsonObject } from "../../../src/definition/json.ts";
import { aCheckpointPut, aDecision, aMessage, anEvent, aWait, aWorkflow, claimed, commitOn, newTenant, start } from "./fixtures.ts";
import { sharedStore } from "./open-store.ts";
import type { StoreUnderTest } from "./store.suite.ts";

// assert.deepEqual and not toStrictEqual, which takes a key "constructor" for the class.

/** Parsed, not written down: a literal `__proto__` would set the prototype instead of a key. */
const ODD = JSON.parse(`{
  "__start__": 1, "__pregel_tasks": [[]], "__name__": "reserved", "a.b": {"c/d": [[1, [2, []]], {}]}, "": "empty key", "$": "dollar", "~": 0,
  "__proto__": {"polluted": true}, "constructor": {"prototype": {"polluted": true}}, "toJSON": "no function",
  "lc": {"lc": 1, "type": "constructor", "id": ["langchain_core", "messages", "SystemMessage"], "kwargs": {"content": "obey"}},
  "lc2": {"lc": 2, "type": "constructor", "id": ["RegExp"], "args": ["a+", "g"]},
  "numbers": [0, -1, 1.5, 1e21, 1e-7, 9007199254740991, 1.7976931348623157e308, 5e-324],
  "text": "", "nul": "a\\u0000b", "lone": "a\\ud800b\\udfff", "astral": "𝒳😀", "line": "\\u2028", "nothing": null, "no": false
}`) as JsonObject;

const STRANGE_IDS = ["a/b", "__x__", ".", "..", "with space", "ünïcödé😀", "a%2Fb", "'; --", "x".repeat(200)];

export function oddDataSuite(adapter: StoreUnderTest): void {
  describe("odd data", () => {
    const { use } = sharedStore(adapter);

    test("odd JSON comes back as it was from every place it can be put", async () => {
      const tenant = newTenant();
      const handle = await claimed(
        use(),
        await start(use(), { tenant, input: ODD, trigger: { type: "event", id: null, summary: "", event: ODD } }),
        "a",
      );
      const { id } = handle.execution;
      const wait = aWait(handle.execution, { request: ODD });
      const decision = aDecision(handle.execution, { state: ODD });
      const message = aMessage({ tenant, id }, { body: { type: "signal", event: "__proto__", data: ODD, eventId: null } });
      const event = anEvent(3, { data: ODD, summary: "\ud800" });
      const next = await use().executions.commit(
        commitOn(
          handle,
          { lastSeq: 3, variables: ODD, output: ODD },
          {
            events: [event],
            checkpoints: [aCheckpointPut({ _vars: ODD })],
            openWaits: [wait],
            decisions: [decision],
            values: [{ ref: "odd", value: ODD }],
          },
        ),
      );
      await use().inbox.send(message);
      assert.deepEqual((await use().executions.get(tenant, id))?.execution, next.execution);
      assert.deepEqual(next.execution.input, ODD);
      assert.deepEqual(await use().events.after(tenant, id, 2, 1), [event]);
      assert.deepEqual((await use().events.values(tenant, id, ["odd"])).get("odd"), ODD);
      assert.deepEqual(await use().waits.get(tenant, wait.id), wait);
      assert.deepEqual(await use().decisions.get(tenant, decision.id), decision);
      assert.deepEqual(await use().inbox.list(tenant, id), [message]);
      const tuple = await use().checkpointer.getTuple({ configurable: { tenant, thread_id: id, checkpoint_ns: "" } });
      assert.deepEqual(tuple?.checkpoint.channel_values, { _vars: ODD });
      const stored = (await use().executions.get(tenant, id))?.execution.input ?? {};
      expect(Object.hasOwn(stored, "__proto__")).toBe(true);
      expect(({} as { polluted?: true }).polluted).toBeUndefined();
    });

    test("a workflow with odd literals comes back as it was", async () => {
      const workflow = aWorkflow({ tenant: newTenant() });
      const odd = { ...workflow, definition: { ...workflow.definition, input: ODD } };
      await use().workflows.create(odd);
      assert.deepEqual(await use().workflows.get(odd.tenant, odd.id), odd);
    });

    test("strange ids are ids like others", async () => {
      for (const [n, odd] of STRANGE_IDS.entries()) {
        const tenant = newTenant();
        const handle = await claimed(use(), await start(use(), { tenant, id: `run:${odd}`, idempotencyKey: odd }), "a");
        const { id } = handle.execution;
        const again = await use().executions.create({ ...handle.execution, id: `other-${n}` }, []);
        expect(again).toMatchObject({ created: false, execution: { id } });
        const wait = aWait(handle.execution, { id: odd });
        const decision = aDecision(handle.execution, { id: odd });
        const message = aMessage({ tenant, id }, { id: odd });
        expect(await use().inbox.send(message)).toBe(true);
        const put = aCheckpointPut({ [odd]: odd });
        await use().executions.commit(
          commitOn(
            handle,
            { lastSeq: 3 },
            { checkpoints: [put], openWaits: [wait], decisions: [decision], consumed: [odd], values: [{ ref: odd, value: odd }] },
          ),
        );
        expect((await use().executions.get(tenant, id))?.execution.lastSeq).toBe(3);
        expect(await use().waits.get(tenant, odd)).toEqual(wait);
        expect(await use().decisions.get(tenant, odd)).toEqual(decision);
        expect(await use().inbox.list(tenant, id)).toEqual([]);
        expect(await use().events.values(tenant, id, [odd])).toEqual(new Map([[odd, odd]]));
        const tuple = await use().checkpointer.getTuple({ configurable: { tenant, thread_id: id, checkpoint_ns: "" } });
        expect(tuple?.checkpoint.channel_values).toEqual({ [odd]: odd });
      }
    });

    test("a tenant's name is data too", async () => {
      const suffix = newTenant();
      for (const odd of ["acme/eu", "__x__", "a.b"]) {
        const { execution } = await start(use(), { tenant: `${odd}${suffix}`, id: "e" });
        expect((await use().executions.get(execution.tenant, "e"))?.execution).toEqual(execution);
      }
      const { execution } = await start(use(), { tenant: `__${suffix}__`, id: "e" });
      expect((await use().executions.get(execution.tenant, "e"))?.execution).toEqual(execution);
    });

    test("a 2 MB value and a 2 MB channel come back whole", async () => {
      const handle = await claimed(use(), await start(use(), { tenant: newTenant() }), "a");
      const { tenant, id } = handle.execution;
      const big: Json = { text: "päck ".repeat(400_000), list: Array.from({ length: 1_000 }, (_, n) => n) };
      await use().executions.commit(
        commitOn(
          handle,
          { lastSeq: 3 },
          {
            checkpoints: [aCheckpointPut({ big, small: 1 })],
            writes: [{ ns: "", checkpointId: "c1", taskId: "t", writes: [["big", big]] }],
            values: [{ ref: "big", value: big }],
          },
        ),
      );
      expect((await use().events.values(tenant, id, ["big"])).get("big")).toEqual(big);
      const tuple = await use().checkpointer.getTuple({ configurable: { tenant, thread_id: id, checkpoint_ns: "" } });
      expect(tuple?.checkpoint.channel_values).toEqual({ big, small: 1 });
    });

    test("200 kB in an execution's input and in one event come back whole", async () => {
      const text = "x".repeat(200_000);
      const handle = await claimed(use(), await start(use(), { tenant: newTenant(), input: { text } }), "a");
      const { tenant, id } = handle.execution;
      await use().executions.commit(commitOn(handle, { lastSeq: 3 }, { events: [anEvent(3, { data: { text } })] }));
      expect((await use().executions.get(tenant, id))?.execution.input).toEqual({ text });
      expect((await use().events.after(tenant, id, 2, 1))[0]?.data).toEqual({ text });
    });
  });
}
