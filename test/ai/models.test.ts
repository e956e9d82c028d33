import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FakeListChatModel } from "@langchain/core/utils/testing";
import { createModels } from "../../src/ai/models.ts";
import { asking, failureOf } from "../support/model-request.ts";
import { startOpenAIServer, type OpenAIServer } from "../support/openai-server.ts";

let server: OpenAIServer;
beforeEach(async () => {
  server = await startOpenAIServer();
});
afterEach(() => server[Symbol.asyncDispose]());

function models() {
  return createModels({ openai: { baseUrl: server.baseUrl } });
}

const schema = {
  name: "colour",
  schema: { type: "object", properties: { colour: { type: "string" } }, required: ["colour"], additionalProperties: false },
};

describe("references", () => {
  test("default is what was configured, and the offline model unless told", async () => {
    expect(createModels().default).toBe("scripted:offline");
    expect((await createModels().complete(asking({ model: "default" }))).offline).toBe(true);
    server.script("Blue.");
    const configured = createModels({ default: "openai:llama3.2:3b", openai: { baseUrl: server.baseUrl } });
    expect((await configured.complete(asking({ model: "default" }))).model).toBe("openai:llama3.2:3b");
    expect(server.requests[0]?.body.model).toBe("llama3.2:3b");
  });

  test.each(["ollama", "vllm"] as const)("%s: is an address of its own without a key", async (provider) => {
    server.script("Blue.");
    const shared = createModels({ [provider]: { baseUrl: server.baseUrl } });
    expect(await shared.complete(asking({ model: `${provider}:qwen3` }))).toMatchObject({
      text: "Blue.",
      model: `${provider}:qwen3`,
      costUsd: 0,
    });
  });

  test.each([
    ["openai:gpt-4o", /OPENAI_API_KEY/],
    ["anthropic:claude-sonnet-4", /npm install langchain @langchain\/anthropic/],
    ["scripted:nobody", /no script "nobody"/],
    ["gpt-4o", /provider:model/],
    ["__proto__:x", /provider:model/],
    ["constructor:x", /npm install langchain/],
  ])("%s that cannot be used says what is missing", async (reference, message) => {
    const error = await failureOf(createModels().resolve(reference));
    expect(error.code).toBe("MODEL_NOT_CONFIGURED");
    expect(error.message).toMatch(message);
  });

  test("a provider of LangChain's registry is used where it is installed, and told the schema in words", async () => {
    const asked: unknown[] = [];
    const langchain = {
      initChatModel: (...given: unknown[]) => {
        asked.push(given);
        return Promise.resolve(new FakeListChatModel({ responses: ['{"colour":"blue"}'] }));
      },
    };
    const shared = createModels({
      importPackage: (name) => (name === "langchain" ? Promise.resolve(langchain) : Promise.reject(new Error(name))),
    });
    const reply = await shared.complete(asking({ model: "mistralai:small", schema }));
    expect(reply).toMatchObject({ text: '{"colour":"blue"}', model: "mistralai:small", offline: false });
    expect(asked).toEqual([["small", expect.objectContaining({ modelProvider: "mistralai", maxRetries: 0 })]]);
  });

  test("a model the policy does not list is not called", async () => {
    server.script("Blue.");
    const error = await failureOf(models().complete(asking({ allowedModels: ["openai:gpt-4o"] })));
    expect(error).toMatchObject({ code: "MODEL_NOT_CONFIGURED", details: { kind: "not_allowed" } });
    expect(server.requests).toHaveLength(0);
    expect((await models().complete(asking({ allowedModels: ["openai:gpt-4o-mini"] }))).text).toBe("Blue.");
  });

  test("prices may be replaced, and are found for dated models", async () => {
    server.script("Blue.");
    const shared = createModels({ openai: { baseUrl: server.baseUrl }, prices: { "openai:own": { in: 1, out: 2 } } });
    expect((await shared.complete(asking({ model: "openai:own" }))).costUsd).toBeCloseTo((11 + 14) / 1e6, 12);
    expect((await shared.complete(asking({ model: "openai:gpt-4o-2024-08-06" }))).costUsd).toBeGreaterThan(0);
    expect((await shared.complete(asking({ model: "openai:unheard-of" }))).costUsd).toBe(0);
  });
});
