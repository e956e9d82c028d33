import { describe, expect, test } from "vitest";
import { array, assert, property, string } from "fast-check";
import { HumanMessage, SystemMessage } from "@langchain/core/messages";
import { z } from "zod";
import { createModels } from "../../src/ai/models.ts";
import { ScriptedChatModel, type Script } from "../../src/ai/scripted.ts";
import { valueFromWords } from "../../src/ai/value-from-words.ts";
import { chooseByWords, stemOf } from "../../src/ai/words.ts";
import { compileInputSchema } from "../../src/definition/input-schema.ts";
import type { Json, JsonObject } from "../../src/definition/json.ts";

const signal = new AbortController().signal;
const TEAMS = [
  { id: "a", description: "refund_payment Gives the customer's money back" },
  { id: "b", description: "technical_support Bugs, crashes, error messages, login problems" },
  { id: "c", description: "cancelSubscription Ends the subscription" },
];

async function decideOn(state: Json, otherwise?: string) {
  const schema = {
    name: "decision",
    schema: {
      type: "object",
      properties: { choice: { type: "string", enum: ["a", "b", "c"] }, confidence: { type: "number" }, rationale: { type: "string" } },
    },
  };
  const offline = { options: TEAMS, state, otherwise };
  const reply = await createModels().complete({ model: "default", messages: [["user", "choose"]], schema, signal, offline });
  expect(reply.offline).toBe(true);
  return JSON.parse(reply.text) as { choice: string; confidence: number; rationale: string };
}

describe("decisions without a model", () => {
  test.each([
    ["I was charged twice and want a refund", "a", "refund"],
    ["The app crashed again: error 500 when logging in", "b", "crashed"],
    ["Please cancel all my subscriptions", "c", "subscriptions"],
    ["REFUNDED?", "a", "refunded"],
  ])("%j goes where its words point, and says which", async (message, choice, word) => {
    const decided = await decideOn({ input: { message } });
    expect(decided.choice).toBe(choice);
    expect(decided.rationale).toContain(`"${word}"`);
    expect(decided.confidence).toBeGreaterThan(0.5);
  });

  test("words are found anywhere in the state, and in the names of what is true", async () => {
    expect((await decideOn({ vars: { tags: ["x", { deep: "login" }] } })).choice).toBe("b");
    expect((await decideOn({ vars: { refund: true, cancel: false } })).choice).toBe("a");
  });

  test("a case between two options is less sure than a clear one", async () => {
    const torn = await decideOn({ input: "cancel the subscription and refund the money" });
    const clear = await decideOn({ input: "cancel the subscription" });
    expect(torn.confidence).toBeLessThan(clear.confidence);
  });

  test("nothing in common takes the option for everything else with confidence 0, else the first, and says so", async () => {
    expect(await decideOn({ input: "bonjour" }, "b")).toMatchObject({ choice: "b", confidence: 0 });
    expect(await decideOn({ input: "bonjour" })).toMatchObject({ choice: "a", confidence: 0, rationale: expect.stringMatching(/no word/) });
  });

  test("ties go to the first option, however often it is asked", () => {
    for (let time = 0; time < 3; time += 1) {
      expect(chooseByWords("red blue", ["the blue one", "the red one"])).toMatchObject({ index: 0, confidence: 0.25 });
      expect(chooseByWords("red blue", ["the red one", "the blue one"])).toMatchObject({ index: 0 });
    }
  });

  test("what every option says decides nothing", () => {
    expect(chooseByWords("customer customer customer", ["customer refund", "customer support"])).toMatchObject({
      confidence: 0,
      matched: [],
    });
    expect(chooseByWords("the customer wants support", ["customer refund", "customer support"])).toMatchObject({
      index: 1,
      matched: ["support"],
    });
  });

  test("any state and any options give one of the options and a confidence from 0 to 0.95", () => {
    assert(
      property(string(), array(string(), { minLength: 1, maxLength: 8 }), (text, options) => {
        const choice = chooseByWords(text, options);
        expect(choice.index).toBeGreaterThanOrEqual(0);
        expect(choice.index).toBeLessThan(options.length);
        expect(choice.confidence).toBeGreaterThanOrEqual(0);
        expect(choice.confidence).toBeLessThanOrEqual(0.95);
      }),
    );
  });

  test.each([
    ["refund", "refunds", "refunded", "refunding"],
    ["cancel", "cancelled", "cancellation", "cancellations"],
    ["ship", "shipping", "shipped", "ships"],
    ["subscription", "subscriptions"],
    ["company", "companies"],
    ["crash", "crashes", "crashed"],
    ["bill", "billing", "billed", "bills"],
    ["charge", "charged", "charges", "charging"],
    ["complaint", "complaints"],
  ])("%s and its forms are one word", (...forms) => {
    expect(new Set(forms.map(stemOf)).size).toBe(1);
  });
});

describe("prompts without a model", () => {
  async function ask(prompt: string) {
    return (
      await createModels().complete({
        model: "default",
        messages: [
          ["system", "Be brief."],
          ["user", prompt],
        ],
        signal,
      })
    ).text;
  }

  test("the answer is an extract: whole sentences of the text, at most three, in their order", async () => {
    const text =
      "The parcel arrived on Monday. The parcel was broken and the customer wants the money for the parcel back. It rained. " +
      "My neighbour has a dog. The customer wrote twice about the broken parcel. Regards.";
    const extract = await ask(`Summarise this ticket: ${text}`);
    const sentences = extract.match(/[^.]+\./g) ?? [];
    expect(sentences.length).toBeLessThanOrEqual(3);
    expect(extract).toContain("broken and the customer wants the money");
    expect(extract).not.toContain("rained");
    expect(sentences.map((sentence) => text.indexOf(sentence.trim()))).toEqual(
      sentences.map((sentence) => text.indexOf(sentence.trim())).toSorted((left, right) => left - right),
    );
    expect(await ask(`Summarise this ticket: ${text}`)).toBe(extract);
  });

  test("no text is never an empty answer, and a wall of text is cut", async () => {
    expect(await ask("")).not.toBe("");
    expect((await ask("word ".repeat(50_000))).length).toBeLessThanOrEqual(601);
  });

  test("streamed pieces add up to the same answer", async () => {
    const pieces: string[] = [];
    const request = { model: "default", messages: [["user", "One sentence here. And two."]] as [string, string][], signal, stream: true };
    const reply = await createModels().complete(
      { ...request, messages: [["user", "One sentence here. And two."]] },
      { onPiece: (piece) => pieces.push(piece) },
    );
    expect(pieces.length).toBeGreaterThan(2);
    expect(pieces.join("")).toBe(reply.text);
  });
});

describe("JSON without a model", () => {
  const schemas: [string, JsonObject][] = [
    [
      "an order",
      {
        type: "object",
        properties: {
          amount: { type: "number", minimum: 1, maximum: 100 },
          urgent: { type: "boolean" },
          tags: { type: "array", items: { type: "string" }, maxItems: 3 },
        },
        required: ["amount", "urgent", "tags"],
        additionalProperties: false,
      },
    ],
    ["an enumeration", { enum: ["refund", "support", null] }],
    [
      "references",
      {
        $defs: { name: { type: "string", minLength: 3, maxLength: 5 } },
        type: "object",
        properties: { name: { $ref: "#/$defs/name" } },
        required: ["name"],
      },
    ],
    ["alternatives", { anyOf: [{ type: "null" }, { type: "integer", exclusiveMinimum: 41, multipleOf: 2 }] }],
    [
      "formats",
      {
        type: "object",
        properties: {
          at: { type: "string", format: "date-time" },
          mail: { type: "string", format: "email" },
          id: { type: "string", format: "uuid" },
        },
        required: ["at", "mail", "id"],
      },
    ],
    [
      "a list of things",
      { type: "array", minItems: 2, items: { type: "object", properties: { kind: { const: "thing" } }, required: ["kind"] } },
    ],
    ["both at once", { allOf: [{ type: "object", properties: { left: { type: "string" } } }, { required: ["left"] }] }],
    ["several types", { type: ["string", "null"] }],
    ["nothing said", {}],
  ];

  test.each(schemas)("%s: the value fits", (_name, schema) => {
    const value = valueFromWords(schema, "Refund 240 euros for the urgent order of cat food.");
    // The check takes objects; wrapped, it judges any value.
    const { $defs = {}, ...rest } = schema;
    const issues = compileInputSchema({ type: "object", properties: { value: rest }, $defs })({ value });
    expect(issues).toEqual([]);
  });

  test("the text fills what it can", () => {
    const properties = {
      amount: { type: "integer" },
      team: { enum: ["billing", "support"] },
      urgent: { type: "boolean" },
      late: { type: "boolean" },
    };
    expect(valueFromWords({ type: "object", properties }, "Urgent: support ticket about 42 crashes")).toEqual({
      amount: 42,
      team: "support",
      urgent: true,
      late: false,
    });
  });

  test("a schema that never ends does", () => {
    expect(() => valueFromWords({ $ref: "#" }, "x")).not.toThrow();
    expect(() => valueFromWords({ type: "object", properties: { next: { $ref: "#" } } }, "x")).not.toThrow();
  });
});

describe("the scripted model as a LangChain chat model", () => {
  test("stands where a chat model stands, and marks its answers", async () => {
    const model = new ScriptedChatModel();
    const message = await model.invoke([new SystemMessage("Be brief."), new HumanMessage("The sky is blue. Water is wet.")]);
    expect(message.text).toContain("The sky is blue.");
    expect(message.response_metadata).toMatchObject({ offline: true, finish_reason: "stop" });
    expect(message.usage_metadata).toMatchObject({ input_tokens: expect.any(Number) });
    expect((await model.bindTools().invoke("hello there")).tool_calls).toEqual([]);
  });

  test("structured output by schema needs no more than LangChain's own way", async () => {
    const structured = new ScriptedChatModel().invoke("billing question", {
      response_format: { json_schema: { schema: z.toJSONSchema(z.object({ team: z.enum(["support", "billing"]) })) as JsonObject } },
    });
    expect(JSON.parse((await structured).text)).toEqual({ team: "billing" });
  });

  test("a script answers in order, its last line for ever; a function sees what was asked", async () => {
    const script: Script = ["one", "two"];
    const models = createModels({ scripts: { list: script, echo: ({ text, call }) => `${call}: ${text}` } });
    const ask = async (model: string) => (await models.complete({ model, messages: [["user", "hi"]], signal })).text;
    expect([await ask("scripted:list"), await ask("scripted:list"), await ask("scripted:list")]).toEqual(["one", "two", "two"]);
    expect([await ask("scripted:echo"), await ask("scripted:echo")]).toEqual(["1: hi", "2: hi"]);
  });

  test("a script can refuse, call tools, fail and hang", async () => {
    const scripts: Record<string, Script> = {
      refuses: [{ refusal: "No." }],
      calls: [{ toolCalls: [{ name: "drop_tables" }] }],
      busy: [{ fail: { status: 429, retryAfterSeconds: 7 } }],
      hangs: [{ hang: true }],
      huge: ["x".repeat(5_000_000)],
    };
    const models = createModels({ scripts });
    for (const stream of [false, true]) {
      const ask = (name: string) =>
        models.complete(
          { model: `scripted:${name}`, messages: [["user", "hi"]], signal, timeoutMs: 50, stream },
          { onPiece: () => undefined },
        );
      expect(await ask("refuses")).toMatchObject({ refusal: "No." });
      expect(await ask("calls")).toMatchObject({ calls: [{ name: "drop_tables" }], finishReason: "tool_calls" });
      await expect(ask("busy")).rejects.toMatchObject({ code: "MODEL_FAILED", details: { kind: "rate_limited", retryAfterMs: 7_000 } });
      await expect(ask("hangs")).rejects.toMatchObject({ code: "STEP_TIMEOUT" });
      await expect(ask("huge")).rejects.toMatchObject({ code: "MODEL_FAILED", details: { kind: "too_large" } });
    }
  });
});
