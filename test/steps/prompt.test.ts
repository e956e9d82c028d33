import { describe, expect, test } from "vitest";
import type { z } from "zod";
import type { ModelRequest } from "../../src/ai/model-call.ts";
import { createModels } from "../../src/ai/models.ts";
import type { Script } from "../../src/ai/scripted.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import type { Step } from "../../src/definition/step.ts";
import type { Policy } from "../../src/definition/workflow.ts";
import prompt from "../../src/steps/prompt.step.ts";
import { startOpenAIServer } from "../support/openai-server.ts";
import { stepContext } from "../support/step-context.ts";

type Config = z.infer<typeof prompt.config>;

const responseSchema = {
  type: "object",
  properties: { amount: { type: "integer", minimum: 0 }, team: { enum: ["billing", "support"] } },
  required: ["amount", "team"],
  additionalProperties: false,
};

function contextOf(config: JsonObject, { script, policy }: { script?: Script; policy?: Policy } = {}) {
  const models = createModels({ scripts: script ? { test: script } : {}, default: script ? "scripted:test" : undefined });
  const requests: ModelRequest[] = [];
  const pieces: string[] = [];
  const complete = (request: ModelRequest) => {
    requests.push(request);
    return models.complete(request, { onPiece: (piece) => pieces.push(piece) });
  };
  const context = stepContext<Config>({ config: prompt.config.parse(config), models: { complete }, policy });
  return Object.assign(context, { requests, pieces });
}

describe("the prompt step", () => {
  test("answers offline with an extract, and says so", async () => {
    const context = contextOf({ prompt: "Summarise: The parcel is broken. The customer wants the parcel replaced." });
    const result = await prompt.run(context);
    expect(result).toMatchObject({
      kind: "done",
      output: { model: "scripted:offline", offline: true, finishReason: "stop", text: expect.stringContaining("parcel") },
    });
    expect(result).toMatchObject({ output: { tokensIn: expect.any(Number), tokensOut: expect.any(Number) } });
  });

  test("system, conversation and prompt are sent in this order; what is no text as JSON", async () => {
    const context = contextOf(
      {
        system: "Be brief.",
        messages: [
          { role: "user", content: "Hi" },
          { role: "assistant", content: "Hello" },
        ],
        prompt: { order: 7 },
        temperature: 0.2,
        maxTokens: 99,
        timeout: "5s",
      },
      { script: ["ok"] },
    );
    await prompt.run(context);
    expect(context.requests[0]).toMatchObject({
      messages: [
        ["system", "Be brief."],
        ["user", "Hi"],
        ["assistant", "Hello"],
        ["user", '{\n  "order": 7\n}'],
      ],
      temperature: 0.2,
      maxTokens: 99,
      timeoutMs: 5_000,
      stream: true,
    });
  });

  test("pieces are published unless told otherwise", async () => {
    const context = contextOf({ prompt: "x" }, { script: ["one two three"] });
    await prompt.run(context);
    expect(context.pieces.join("")).toBe("one two three");
    const silent = contextOf({ prompt: "x", stream: false }, { script: ["one two three"] });
    await prompt.run(silent);
    expect(silent.pieces).toEqual([]);
  });

  test("JSON of a schema is parsed and checked", async () => {
    const context = contextOf({ prompt: "Refund 240 to billing", responseSchema });
    expect(await prompt.run(context)).toMatchObject({
      output: { json: { amount: 240, team: "billing" }, text: '{"amount":240,"team":"billing"}' },
    });
  });

  test.each(['{"amount":-1,"team":"billing"}', '{"amount":1}', "Sure! {}", '```json\n{"amount":1,"team":"billing"}\n```', ""])(
    "%j is asked for once more, with what was wrong",
    async (bad) => {
      const context = contextOf({ prompt: "x", responseSchema }, { script: [bad, '{"amount":1,"team":"support"}'] });
      expect(await prompt.run(context)).toMatchObject({ output: { json: { amount: 1, team: "support" } } });
      expect(context.requests).toHaveLength(2);
      expect(context.requests[1]?.messages).toHaveLength(3);
      expect(context.requests[0]?.messages).toHaveLength(1);
    },
  );

  test("both calls are counted", async () => {
    const usage = { in: 10, out: 5 };
    const context = contextOf(
      { prompt: "x", responseSchema },
      {
        script: [
          { text: "no", usage },
          { text: '{"amount":1,"team":"support"}', usage },
        ],
      },
    );
    expect(await prompt.run(context)).toMatchObject({ output: { tokensIn: 20, tokensOut: 10 } });
  });

  test("a second wrong answer is MODEL_FAILED", async () => {
    const context = contextOf({ prompt: "x", responseSchema }, { script: ["no"] });
    await expect(prompt.run(context)).rejects.toMatchObject({ code: "MODEL_FAILED", details: { kind: "invalid" } });
    expect(context.requests).toHaveLength(2);
  });

  test.each<[string, Script, string]>([
    ["a refusal", [{ refusal: "I will not." }], "refused"],
    ["a content filter", [{ finishReason: "content_filter" }], "content_filter"],
    ["a tool call", [{ toolCalls: [{ name: "drop" }] }], "tool_call"],
    ["an empty text", ["  "], "invalid"],
    ["a rate limit", [{ fail: { status: 429 } }], "rate_limited"],
  ])("%s is MODEL_FAILED and not asked again", async (_name, script, kind) => {
    const context = contextOf({ prompt: "x" }, { script });
    await expect(prompt.run(context)).rejects.toMatchObject({ code: "MODEL_FAILED", details: { kind } });
    expect(context.requests).toHaveLength(1);
  });

  test("a text that was cut says so; JSON that was cut is a failure", async () => {
    const script: Script = [{ text: '{"amount":1,"team":"support"}', finishReason: "length" }];
    expect(await prompt.run(contextOf({ prompt: "x" }, { script }))).toMatchObject({ output: { finishReason: "length" } });
    await expect(prompt.run(contextOf({ prompt: "x", responseSchema }, { script }))).rejects.toMatchObject({ details: { kind: "length" } });
  });

  test("only models of the policy are asked", async () => {
    const context = contextOf({ prompt: "x" }, { policy: { allowDirectEmit: false, allowedModels: ["openai:gpt-4o"] } });
    await expect(prompt.run(context)).rejects.toMatchObject({ code: "MODEL_NOT_CONFIGURED" });
  });

  test("over HTTP: streamed JSON of a schema", async () => {
    await using server = await startOpenAIServer('{"amount":3,"team":"support"}');
    const models = createModels({ openai: { baseUrl: server.baseUrl } });
    const pieces: string[] = [];
    const config = prompt.config.parse({ model: "openai:gpt-4o", prompt: "x", responseSchema });
    const context = stepContext<Config>({
      config,
      models: { complete: (request) => models.complete(request, { onPiece: (piece) => pieces.push(piece) }) },
    });
    expect(await prompt.run(context)).toMatchObject({ output: { json: { amount: 3, team: "support" }, offline: false, tokensIn: 11 } });
    expect(pieces.length).toBeGreaterThan(1);
    expect(server.requests[0]?.body).toMatchObject({
      stream: true,
      response_format: { json_schema: { strict: true, schema: responseSchema } },
    });
  });

  test("nothing to ask, and a schema that is none, are found when the workflow is saved", () => {
    const check = (config: JsonObject) =>
      prompt.check?.(prompt.config.parse(config), {} as Step).map(({ code, pointer }) => [code, pointer]);
    expect(check({})).toEqual([["MISSING_FIELD", "/config/prompt"]]);
    expect(check({ prompt: "x", responseSchema: { type: "nonsense" } })).toEqual([
      ["INVALID_SCHEMA", expect.stringMatching(/^\/config\/responseSchema/)],
    ]);
    expect(check({ messages: [{ role: "user", content: "x" }], responseSchema })).toEqual([]);
  });
});
