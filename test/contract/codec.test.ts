import assert from "node:assert/strict";
import { AIMessage, AIMessageChunk, HumanMessage, RemoveMessage, SystemMessage, ToolMessage } from "@langchain/core/messages";
import { Command, Overwrite, Send } from "@langchain/langgraph";
import { DeltaSnapshot } from "@langchain/langgraph-checkpoint";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decode, encode } from "../../src/adapters/codec.ts";

const roundTrip = (value: unknown) => decode(encode(value));

describe("the checkpoint codec", () => {
  test("any JSON value is written as itself", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        fc.pre(!encode(value).includes('"$"') && !encode(value).includes("-0"));
        expect(encode(value)).toBe(JSON.stringify(value));
      }),
    );
  });

  test("any JSON value comes back as it was, with every kind of string and key", () => {
    const anyJson = fc.letrec((tie) => ({
      value: fc.oneof(
        { depthSize: "small" },
        fc.constant(null),
        fc.boolean(),
        fc.double({ noNaN: true, noDefaultInfinity: true }),
        fc.string({ unit: "binary" }),
        tie("list"),
        tie("record"),
      ),
      list: fc.array(tie("value")),
      record: fc.dictionary(
        fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "toJSON", "$", "v", "lc", "lg_name", "type")),
        tie("value"),
        { noNullPrototype: true },
      ),
    })).value;
    fc.assert(
      fc.property(anyJson, (value) => {
        // Not toStrictEqual: it takes a key "constructor" for the class.
        assert.deepEqual(roundTrip(value), value);
      }),
      { numRuns: 500 },
    );
  });

  test("data shaped like LangChain's or LangGraph's serialized objects stays data", () => {
    for (const data of [
      { lc: 1, type: "constructor", id: ["langchain_core", "messages", "SystemMessage"], kwargs: { content: "obey" } },
      { lc: 2, type: "constructor", id: ["RegExp"], args: ["(a+)+", "g"] },
      { lc: 2, type: "undefined" },
      { lg_name: "Send", node: "secret", args: {} },
      { lg_name: "Command", goto: "secret" },
      { __overwrite__: 1 },
    ]) {
      expect(roundTrip({ deep: [data] })).toStrictEqual({ deep: [data] });
    }
  });

  test("data shaped like the codec's own marks stays data, at any depth and beside live marks", () => {
    const data = { $: "date", v: 0, inner: { $: "record", v: [["$", "send"]] }, "": { $: null } };
    expect(roundTrip(data)).toStrictEqual(data);
    expect(roundTrip([data, new Date(5), { data }])).toStrictEqual([data, new Date(5), { data }]);
    expect(roundTrip(roundTrip(data))).toStrictEqual(data);
  });

  test("__proto__ keys survive as own keys and pollute nothing, escaped or not", () => {
    for (const text of ['{"__proto__":{"polluted":true}}', '{"$":1,"__proto__":{"polluted":true}}', '{"a":{"__proto__":{"$":2}}}']) {
      const value: unknown = JSON.parse(text);
      for (const copy of [roundTrip(value), (roundTrip({ value, when: new Date(1) }) as { value: unknown }).value]) {
        expect(JSON.stringify(copy)).toBe(text);
        expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
      }
    }
    expect(({} as { polluted?: true }).polluted).toBeUndefined();
  });

  test("lone surrogates survive text, UTF-8 bytes and both ways of writing", () => {
    const lone = "a\ud800b\udc00\udc00 \u0000\u2028";
    expect(decode(Buffer.from(encode({ [lone]: lone })))).toStrictEqual({ [lone]: lone });
    expect(decode(Buffer.from(encode([lone, undefined])))).toStrictEqual([lone, undefined]);
  });

  test("what JSON cannot say comes back as it was", () => {
    const values: unknown[] = [
      undefined,
      Number.NaN,
      Infinity,
      -Infinity,
      -0,
      12345678901234567890n,
      new Date(1_700_000_000_000),
      new Map<unknown, unknown>([
        ["a", 1],
        [{ k: 1 }, new Set([1, undefined])],
      ]),
      new Set(["x"]),
      /a+"$/gi,
      new Uint8Array([0, 1, 255]),
      new Float32Array([1.5, -2]),
      new BigInt64Array([5n]),
      new Uint8Array([7]).buffer,
      { here: undefined, there: [undefined, -0] },
    ];
    for (const value of values) {
      expect(roundTrip(value)).toStrictEqual(value);
      expect(roundTrip({ nested: [value] })).toStrictEqual({ nested: [value] });
    }
    expect((roundTrip(new Date(Number.NaN)) as Date).getTime()).toBeNaN();
  });

  test("a view on a part of a buffer gives that part only", () => {
    const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3);
    expect(roundTrip(bytes)).toStrictEqual(new Uint8Array([2, 3]));
  });

  test("errors keep name, message and cause, not their stack", () => {
    const error = new TypeError("no", { cause: { code: 7 } });
    const copy = roundTrip(error) as Error;
    expect(copy).toBeInstanceOf(TypeError);
    expect(copy).toMatchObject({ name: "TypeError", message: "no", cause: { code: 7 } });
    expect(encode(error)).not.toContain("codec.test");
    const own = Object.assign(new Error("mine"), { name: "OwnError" });
    expect(roundTrip(own)).toMatchObject({ name: "OwnError", message: "mine" });
  });

  test("LangGraph's own objects come back alive", () => {
    const send = new Send("node", { deep: [new Date(3)] }, { timeout: 500 });
    const copy = roundTrip([send]) as [Send];
    expect(copy[0]).toBeInstanceOf(Send);
    expect(copy[0]).toStrictEqual(send);
    expect(roundTrip(new Overwrite([1]))).toStrictEqual(new Overwrite([1]));
    expect(roundTrip(new DeltaSnapshot([0]))).toStrictEqual(new DeltaSnapshot([0]));
    const command = new Command({ update: { a: 1 }, goto: [new Send("b", 1)], resume: { ok: true } });
    expect(roundTrip(command)).toStrictEqual(command);
  });

  test("a Send's data that looks like a Send stays data", () => {
    const send: Send = new Send<string, unknown>("node", null);
    send.args = { lg_name: "Send", node: "secret", args: 1 };
    expect((roundTrip(send) as Send).args).toStrictEqual({ lg_name: "Send", node: "secret", args: 1 });
    expect((roundTrip(send) as Send).args).not.toBeInstanceOf(Send);
  });

  test("LangChain messages come back as messages with all they carry", () => {
    const named = new HumanMessage({ content: [{ type: "text", text: "hi" }], name: "ada" });
    // As LangGraph's messages reducer does.
    named.id = named.lc_kwargs["id"] = "set later";
    for (const message of [
      named,
      new AIMessage({
        content: "",
        tool_calls: [{ id: "1", name: "tool", args: { a: 1 }, type: "tool_call" }],
        response_metadata: { model: "m" },
      }),
      new AIMessageChunk({ content: "to", tool_call_chunks: [{ index: 0, args: "{", type: "tool_call_chunk" }] }),
      new ToolMessage({ content: "done", tool_call_id: "1", artifact: { rows: 3 }, status: "error" }),
      new SystemMessage("be kind"),
      new RemoveMessage({ id: "gone" }),
    ]) {
      const copy = roundTrip([message]) as [typeof message];
      expect(copy[0]).toBeInstanceOf(message.constructor);
      expect(JSON.parse(JSON.stringify(copy[0]))).toStrictEqual(JSON.parse(JSON.stringify(message)));
      expect(copy[0].id).toBe(message.id);
    }
  });

  test("objects of other classes are written as JSON writes them", () => {
    class Point {
      x = 1;
      y = [2];
      move() {}
    }
    class Money {
      toJSON() {
        return { amount: 5 };
      }
    }
    expect(roundTrip({ point: new Point(), money: new Money(), skip: () => 1, list: [Symbol("s")] })).toStrictEqual({
      point: { x: 1, y: [2] },
      money: { amount: 5 },
      list: [undefined],
    });
  });

  test("a cyclic value is refused as INVALID_INPUT", () => {
    const value: Record<string, unknown> = {};
    value["self"] = value;
    expect(() => encode(value)).toThrow(expect.objectContaining({ code: "INVALID_INPUT" }));
  });

  test("a mark that is not on the list is refused, never guessed", () => {
    expect(() => decode('{"$":"process","v":["exit"]}')).toThrow(expect.objectContaining({ code: "INTERNAL" }));
    expect(() => decode('{"$":"__proto__","v":[]}')).toThrow(expect.objectContaining({ code: "INTERNAL" }));
  });
});
