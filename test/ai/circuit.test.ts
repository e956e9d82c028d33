import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createModels } from "../../src/ai/models.ts";
import { manualClock } from "../support/manual-clock.ts";
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

describe("the circuit breaker", () => {
  test("after five failures in a row nobody is sent for ten seconds, then one probe decides", async () => {
    const clock = manualClock();
    const shared = createModels({ openai: { baseUrl: server.baseUrl }, clock });
    server.script({ status: 503, json: {} });
    for (let failure = 0; failure < 5; failure += 1) await failureOf(shared.complete(asking()));
    expect(await failureOf(shared.complete(asking()))).toMatchObject({ code: "MODEL_FAILED", details: { kind: "circuit_open" } });
    expect(server.requests).toHaveLength(5);
    clock.advance(10_000);
    await failureOf(shared.complete(asking()));
    expect(server.requests).toHaveLength(6);
    expect(await failureOf(shared.complete(asking()))).toMatchObject({ details: { kind: "circuit_open" } });
    clock.advance(10_000);
    server.script("Blue.");
    expect((await shared.complete(asking())).text).toBe("Blue.");
    expect((await shared.complete(asking())).text).toBe("Blue.");
  });

  test("while the probe is out nobody else is sent", async () => {
    const clock = manualClock();
    const shared = createModels({ openai: { baseUrl: server.baseUrl }, clock });
    server.script({ status: 503, json: {} });
    for (let failure = 0; failure < 5; failure += 1) await failureOf(shared.complete(asking()));
    clock.advance(10_000);
    const answer = Promise.withResolvers<void>();
    server.script({ after: answer.promise, reply: "Blue." });
    const probe = shared.complete(asking());
    await expect.poll(() => server.requests.length).toBe(6);
    expect(await failureOf(shared.complete(asking()))).toMatchObject({ details: { kind: "circuit_open" } });
    answer.resolve();
    expect((await probe).text).toBe("Blue.");
    expect(server.requests).toHaveLength(6);
  });

  test("answers that are refused, and deadlines that were tight, do not open it", async () => {
    const shared = models();
    server.script({ status: 400, json: {} });
    for (let failure = 0; failure < 6; failure += 1)
      expect(await failureOf(shared.complete(asking()))).toMatchObject({ details: { kind: "http" } });
    server.script({ hang: true });
    for (let failure = 0; failure < 6; failure += 1)
      expect(await failureOf(shared.complete(asking({ timeoutMs: 5 })))).toMatchObject({ code: "STEP_TIMEOUT" });
  });
});
