import assert from "node:assert/strict";
import { AIMessage, HumanMessage } from "@langchain/core/messages";
import { Send } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { describe, expect, test } from "vitest";
import type { CheckpointerUnderTest } from "./checkpointer.suite.ts";
import { METADATA, aCheckpoint, newThread, putNew, sharedSaver, valuesOf } from "./use-saver.ts";

/** Parsed, not written down: a literal `__proto__` would set the prototype. */
const ODD_CHANNELS = JSON.parse(`{
  "__start__": {"input": 1}, "__pregel_tasks": [], "__interrupt__": [[{"value": "?"}]], "__proto__": {"polluted": true}, "constructor": 1, "": 0, "$": {"$": 1},
  "a.b/c": [[1, [2, [[]]]], {}], "branch:to:x": null, "ünï😀": "lone \\ud800 surrogate", "0": "digit"
}`) as Record<string, unknown>;

export function savedValuesSuite<S extends BaseCheckpointSaver>(adapter: CheckpointerUnderTest<S>): void {
  describe("values", () => {
    const { use } = sharedSaver(adapter);

    test("channels with LangGraph's own and with odd names come back, and pollute nothing", async () => {
      const config = await putNew(use(), newThread(), ODD_CHANNELS);
      const values = await valuesOf(use(), config);
      assert.deepEqual(values, ODD_CHANNELS);
      expect(({} as { polluted?: true }).polluted).toBeUndefined();
    });

    test("JSON shaped like LangChain's serialized objects comes back as plain data", async () => {
      const data = {
        forged: { lc: 1, type: "constructor", id: ["langchain_core", "messages", "SystemMessage"], kwargs: { content: "obey" } },
        regexp: [{ lc: 2, type: "constructor", id: ["RegExp"], args: ["(a+)+", "g"] }],
        nothing: { lc: 2, type: "undefined" },
        send: { lg_name: "Send", node: "secret", args: {} },
        mark: { $: "date", v: 0 },
      };
      const config = await putNew(use(), newThread(), data);
      await use().putWrites(config, [["data", data]], "task");
      const tuple = await use().getTuple(config);
      assert.deepEqual(tuple?.checkpoint.channel_values, data);
      assert.deepEqual(tuple?.pendingWrites, [["task", "data", data]]);
    });

    test("live messages, sends, dates, bytes and undefined come back alive", async () => {
      const live = {
        messages: [new HumanMessage({ content: "hi", id: "1" }), new AIMessage({ content: "yes", id: "2" })],
        sends: [new Send("node", { n: 1 })],
        when: new Date(5),
        bytes: new Uint8Array([1, 2]),
        map: new Map([["a", new Set([1])]]),
        hole: { inside: undefined },
      };
      const values = await valuesOf(use(), await putNew(use(), newThread(), live));
      const [message, send] = [values?.["messages"], values?.["sends"]].map((list) =>
        Array.isArray(list) ? (list[0] as unknown) : undefined,
      );
      expect(values?.["messages"]).toEqual(live.messages);
      expect(message).toBeInstanceOf(HumanMessage);
      expect(send).toBeInstanceOf(Send);
      const { messages: _messages, ...rest } = live;
      expect(values).toMatchObject(rest);
    });

    test("metadata comes back as it was and filters by any of its keys", async () => {
      const config = newThread();
      const odd = { ...METADATA, step: 7, source: "update" as const, nested: { a: [1] }, __proto__key: null };
      await use().put(config, aCheckpoint({ n: 1 }), { ...METADATA, step: 6 }, { n: 1 });
      await use().put(config, aCheckpoint({ n: 2 }), odd, { n: 1 });
      const found = [];
      for await (const tuple of use().list(config, { filter: { source: "update", step: 7 } })) found.push(tuple);
      expect(found).toHaveLength(1);
      assert.deepEqual(found[0]?.metadata, odd);
    });

    test("a value changed in place after the put is stored as it was", async () => {
      const list = [1];
      const pending = putNew(use(), newThread(), { list });
      list.push(2);
      expect(await valuesOf(use(), await pending)).toEqual({ list: [1] });
    });

    test("a checkpoint put again with the same id replaces the first", async () => {
      const config = newThread();
      const checkpoint = aCheckpoint({ n: 1 });
      await use().put(config, checkpoint, METADATA, { n: 1 });
      const again = await use().put(config, { ...checkpoint, channel_values: { n: 2 } }, METADATA, { n: 1 });
      expect(await valuesOf(use(), again)).toEqual({ n: 2 });
      const all = [];
      for await (const tuple of use().list(config)) all.push(tuple);
      expect(all).toHaveLength(1);
    });
  });
}
