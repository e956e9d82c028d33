import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createModels } from "../../src/ai/models.ts";
import { SignalboxError } from "../../src/errors.ts";
import { asking, failureOf } from "../support/model-request.ts";
import { startOpenAIServer, type OpenAIServer, type StubReply } from "../support/openai-server.ts";

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

describe("an OpenAI-protocol endpoint", () => {
  test("a plain answer comes with its tokens and its cost, and needs no key at a base URL of one's own", async () => {
    server.script("Blue.");
    const reply = await models().complete(asking({ temperature: 0, maxTokens: 50 }));
    expect(reply).toMatchObject({
      text: "Blue.",
      model: "openai:gpt-4o-mini",
      offline: false,
      finishReason: "stop",
      refusal: null,
      calls: [],
    });
    expect(reply).toMatchObject({ tokensIn: 11, tokensOut: 7 });
    expect(reply.costUsd).toBeCloseTo((11 * 0.15 + 7 * 0.6) / 1e6, 12);
    const [seen] = server.requests;
    expect(seen?.path).toBe("/v1/chat/completions");
    expect(seen?.body).toMatchObject({
      model: "gpt-4o-mini",
      temperature: 0,
      max_tokens: 50,
      messages: [{ role: "user", content: "What colour is the sky?" }],
    });
    expect(seen?.body.stream).not.toBe(true);
  });

  test("temperature and token limit belong to the call, not to the model", async () => {
    server.script("Blue.");
    const shared = models();
    await shared.complete(asking({ temperature: 0.7, maxTokens: 9 }));
    await shared.complete(asking());
    expect(server.requests[1]?.body).not.toHaveProperty("temperature");
    expect(server.requests[1]?.body).not.toHaveProperty("max_tokens");
  });

  test("a model that reasons is sent no temperature and the limit it knows", async () => {
    server.script("Blue.");
    await models().complete(asking({ model: "openai:o4-mini", temperature: 0, maxTokens: 50 }));
    expect(server.requests[0]?.body).not.toHaveProperty("temperature");
    expect(server.requests[0]?.body).toMatchObject({ max_completion_tokens: 50 });
  });

  test("streamed pieces arrive in order and add up to the answer", async () => {
    const text = "The sky is blue because of Rayleigh scattering.";
    server.script(text);
    const pieces: string[] = [];
    const reply = await models().complete(asking({ stream: true }), { onPiece: (piece) => pieces.push(piece) });
    expect(pieces.length).toBeGreaterThan(3);
    expect(pieces.join("")).toBe(text);
    expect(reply).toMatchObject({ text, finishReason: "stop", tokensIn: 11, tokensOut: 7 });
    expect(server.requests[0]?.body.stream).toBe(true);
  });

  test("an endpoint that ignores stream: true is read all the same", async () => {
    const whole = {
      id: "1",
      choices: [{ index: 0, message: { role: "assistant", content: "Blue." }, finish_reason: "stop" }],
      usage: { prompt_tokens: 3, completion_tokens: 2, total_tokens: 5 },
    };
    server.script({ status: 200, json: whole });
    const pieces: string[] = [];
    const reply = await models().complete(asking({ stream: true }), { onPiece: (piece) => pieces.push(piece) });
    expect(pieces).toEqual(["Blue."]);
    expect(reply.text).toBe("Blue.");
  });

  test("a stream that ends before the answer does is a broken connection, not an answer", async () => {
    server.script({ content: "The sky is blue because", endAfterPieces: 2 });
    const error = await failureOf(models().complete(asking({ stream: true }), { onPiece: () => undefined }));
    expect(error).toMatchObject({ code: "MODEL_FAILED", details: { kind: "network" } });
  });

  test("a structured answer is asked for by schema, strictly where the schema allows it, and handed over as written", async () => {
    server.script('{"colour":"blue"}');
    const shared = models();
    expect((await shared.complete(asking({ schema }))).text).toBe('{"colour":"blue"}');
    expect(server.requests[0]?.body.response_format).toEqual({ type: "json_schema", json_schema: { ...schema, strict: true } });
    await shared.complete(asking({ schema: { name: "loose", schema: { type: "object", properties: { colour: { type: "string" } } } } }));
    expect(server.requests[1]?.body.response_format?.json_schema.strict).toBe(false);
  });

  test.each(["not json at all", '```json\n{"colour":"blue"}\n```', '{"colour":', ""])(
    "structured: the raw text %j is not lost",
    async (text) => {
      server.script(text);
      expect((await models().complete(asking({ schema }))).text).toBe(text);
    },
  );

  test("a refusal, a cut answer, a filtered answer and tool calls are replies that say what they are, streamed or not", async () => {
    const replies: [StubReply, object][] = [
      [{ content: null, refusal: "I will not." }, { refusal: "I will not." }],
      [
        { content: '{"colo', finishReason: "length" },
        { finishReason: "length", text: '{"colo' },
      ],
      [{ content: "", finishReason: "content_filter" }, { finishReason: "content_filter" }],
      [
        {
          toolCalls: [
            { name: "delete_all", arguments: "{}" },
            { name: "other", arguments: "{broken" },
          ],
        },
        {
          calls: [
            { name: "delete_all", args: {} },
            { name: "other", args: null },
          ],
        },
      ],
    ];
    for (const [reply, expected] of replies) {
      for (const stream of [true, false]) {
        server.script(reply);
        expect(await models().complete(asking({ schema, stream }), { onPiece: () => undefined })).toMatchObject(expected);
      }
    }
  });

  test.each<[string, StubReply, object]>([
    [
      "429",
      { status: 429, headers: { "retry-after": "30" }, json: { error: { message: "slow down" } } },
      { code: "MODEL_FAILED", details: { kind: "rate_limited", retryAfterMs: 30_000, status: 429 } },
    ],
    [
      "429 without quota",
      { status: 429, json: { error: { message: "no", code: "insufficient_quota" } } },
      { code: "MODEL_NOT_CONFIGURED" },
    ],
    ["500", { status: 500, json: { error: { message: "oops" } } }, { code: "MODEL_FAILED", details: { kind: "http", status: 500 } }],
    ["400", { status: 400, json: { error: { message: "bad schema" } } }, { code: "MODEL_FAILED", details: { kind: "http", status: 400 } }],
    [
      "401",
      { status: 401, json: { error: { message: "bad key" } } },
      { code: "MODEL_NOT_CONFIGURED", details: { kind: "not_configured", status: 401 } },
    ],
    ["404", { status: 404, json: { error: { message: "no such model" } } }, { code: "MODEL_NOT_CONFIGURED" }],
    [
      "content filter of a gateway",
      { status: 400, json: { error: { message: "filtered", code: "content_filter" } } },
      { code: "MODEL_FAILED", details: { kind: "content_filter" } },
    ],
    [
      "HTML with status 200",
      { status: 200, text: "<html>Sign in</html>" },
      { code: "MODEL_FAILED", details: { kind: "invalid", mediaType: "text/html" } },
    ],
    [
      "HTML with status 502",
      { status: 502, text: "<html>Bad gateway</html>" },
      { code: "MODEL_FAILED", details: { kind: "http", status: 502 } },
    ],
    ["JSON that is no completion", { status: 200, json: { hello: 1 } }, { code: "MODEL_FAILED", details: { kind: "invalid" } }],
    ["no choices", { status: 200, json: { choices: [] } }, { code: "MODEL_FAILED", details: { kind: "invalid" } }],
    [
      "a broken body",
      { status: 200, headers: { "content-type": "application/json" }, text: "{nope" },
      { code: "MODEL_FAILED", details: { kind: "invalid" } },
    ],
    ["a reset connection", { reset: true }, { code: "MODEL_FAILED", details: { kind: "network", reason: "ECONNRESET" } }],
    [
      "5 MB around a short answer",
      { status: 200, json: { padding: "x".repeat(5_000_000), choices: [{ index: 0, message: { content: "{}" }, finish_reason: "stop" }] } },
      { code: "MODEL_FAILED", details: { kind: "too_large" } },
    ],
    ["5 MB", { content: JSON.stringify({ colour: "x".repeat(5_000_000) }) }, { code: "MODEL_FAILED", details: { kind: "too_large" } }],
  ])("%s is one call and one named failure, streamed or not", async (_name, reply, expected) => {
    for (const stream of [false, true]) {
      server.script(reply);
      const before = server.requests.length;
      expect(await failureOf(models().complete(asking({ schema, stream }), { onPiece: () => undefined }))).toMatchObject(expected);
      expect(server.requests.length - before).toBe(1);
    }
  });

  test("an address where nobody listens is a network failure", async () => {
    const { baseUrl } = server;
    await server[Symbol.asyncDispose]();
    const error = await failureOf(createModels({ openai: { baseUrl } }).complete(asking()));
    expect(error).toMatchObject({ code: "MODEL_FAILED", details: { kind: "network", reason: "ECONNREFUSED" } });
  });

  test("a call ends at its deadline, closes its socket and ignores what comes later", async () => {
    const late = Promise.withResolvers<void>();
    server.script({ after: late.promise, reply: "too late" });
    const startedAt = performance.now();
    const pieces: string[] = [];
    const error = await failureOf(models().complete(asking({ stream: true, timeoutMs: 300 }), { onPiece: (piece) => pieces.push(piece) }));
    expect(error).toMatchObject({ code: "STEP_TIMEOUT", details: { kind: "timeout", timeoutMs: 300 } });
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(290);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(await server.requests[0]?.closed).toBe("aborted");
    late.resolve();
    expect(pieces).toEqual([]);
  });

  test("a caller that gives up closes the socket and gets its own reason", async () => {
    server.script({ hang: true });
    const caller = new AbortController();
    const reason = new SignalboxError("LEASE_LOST");
    const call = failureOf(models().complete(asking({ signal: caller.signal })));
    await expect.poll(() => server.requests.length).toBe(1);
    caller.abort(reason);
    expect(await call).toBe(reason);
    expect(await server.requests[0]?.closed).toBe("aborted");
  });

  test("usage an endpoint does not tell is estimated, so that a budget is not blind to it", async () => {
    server.script({ content: "Blue, mostly.", usage: null });
    const reply = await models().complete(asking());
    expect(reply.tokensIn).toBeGreaterThan(5);
    expect(reply.tokensOut).toBeGreaterThan(2);
  });
});
