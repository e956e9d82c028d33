import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decide, type DecisionRequest } from "../../src/ai/decision-maker.ts";
import { Decision } from "../../src/definition/decision.ts";
import { SignalboxError } from "../../src/errors.ts";
import { choosing, decisionRequest, outcomesOf } from "../support/decision-request.ts";
import { startOpenAIServer, type OpenAIServer, type StubReply } from "../support/openai-server.ts";

let server: OpenAIServer;
beforeEach(async () => {
  server = await startOpenAIServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const requestOf = (over?: Partial<DecisionRequest>) => decisionRequest(server.baseUrl, over);

describe("case 9: size", () => {
  test("a long rationale is cut and cleaned, and the decision stands", async () => {
    const rationale = `Because\u0000\u001b[31m <script>alert(1)</script>\u202e ${"\u0007".repeat(50)}${"y".repeat(100_000)}`;
    server.script(choosing("Refund", { rationale }));
    const { decision } = await decide(requestOf());
    expect(decision).toMatchObject({ source: "model", selected: "pay_refund" });
    expect(decision.rationale.length).toBeLessThanOrEqual(1_000);
    expect(decision.rationale).toMatch(/^Because/);
    expect(decision.rationale).not.toMatch(/[\p{Cc}\p{Cf}]/u);
    expect(decision.attempts[0]?.raw.length).toBeLessThanOrEqual(4_096);
  });

  test("nothing but control characters as a rationale leaves a decision with an empty one", async () => {
    server.script(choosing("Refund", { rationale: "\u0001".repeat(20_000) }));
    expect((await decide(requestOf())).decision).toMatchObject({ selected: "pay_refund", rationale: "" });
  });

  test("5 MB are not parsed and not repaired", async () => {
    server.script(choosing("Refund", { rationale: "x".repeat(5_000_000) }));
    const { decision } = await decide(requestOf());
    expect(decision).toMatchObject({ source: "fallback", selected: "ask_customer" });
    expect(decision.attempts).toMatchObject([{ outcome: "invalid", error: expect.stringContaining("262144") }]);
    expect(server.requests).toHaveLength(1);
  });

  test("a hundred options with long descriptions, a large state and three long answers stay within 64 KiB", async () => {
    const options = Array.from({ length: 100 }, (_, index) => ({
      id: `option_${index}`,
      description: "ü".repeat(1_000),
      isAllowed: true,
      verdict: "allowed",
    }));
    server.script(JSON.stringify({ choice: "ü".repeat(50_000) }));
    const { decision } = await decide(
      requestOf({ options, fallback: "option_7", models: ["openai:one", "openai:two"], state: { text: "ß".repeat(200_000) } }),
    );
    expect(decision).toMatchObject({ selected: "option_7", source: "fallback" });
    expect(decision.candidates).toHaveLength(100);
    expect(Buffer.byteLength(JSON.stringify(decision))).toBeLessThanOrEqual(64 * 1_024);
    expect(Decision.parse(decision)).toEqual(decision);
  });
});

describe("case 12: time", () => {
  test("a model that hangs means the fallback at the deadline, its socket closed, its late answer ignored", async () => {
    const late = Promise.withResolvers<void>();
    server.script({ after: late.promise, reply: "late" });
    const startedAt = performance.now();
    const { decision } = await decide(requestOf({ timeoutMs: 400 }));
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(390);
    expect(performance.now() - startedAt).toBeLessThan(1_500);
    expect(decision).toMatchObject({ source: "fallback", selected: "ask_customer" });
    expect(outcomesOf(decision)).toEqual(["timeout"]);
    expect(await server.requests[0]?.closed).toBe("aborted");
    late.resolve();
    expect(outcomesOf(decision)).toEqual(["timeout"]);
  });

  test("a model that hangs leaves time for the one behind it", async () => {
    server.script({ hang: true }, choosing("Refund"));
    const { decision } = await decide(requestOf({ timeoutMs: 600, models: ["openai:one", "openai:two"] }));
    expect(decision).toMatchObject({ source: "model", selected: "pay_refund", model: "openai:two" });
    expect(outcomesOf(decision)).toEqual(["timeout", "accepted"]);
  });

  test("a step that is cancelled or lost its lease decides nothing, not even the fallback", async () => {
    server.script({ hang: true });
    const caller = new AbortController();
    const reason = new SignalboxError("LEASE_LOST");
    const deciding = decide(requestOf({ signal: caller.signal }));
    await expect.poll(() => server.requests.length).toBe(1);
    caller.abort(reason);
    await expect(deciding).rejects.toBe(reason);
  });
});

describe("case 13: an endpoint in trouble", () => {
  test("a Retry-After that does not fit the deadline means the fallback at once", async () => {
    server.script({ status: 429, headers: { "retry-after": "30" }, json: {} });
    const startedAt = performance.now();
    const { decision } = await decide(requestOf({ timeoutMs: 3_000 }));
    expect(performance.now() - startedAt).toBeLessThan(1_000);
    expect(decision.source).toBe("fallback");
    expect(server.requests).toHaveLength(1);
  });

  test("one that fits is waited for", async () => {
    server.script({ status: 429, headers: { "retry-after": "0.2" }, json: {} }, choosing("Refund"));
    const startedAt = performance.now();
    const { decision } = await decide(requestOf());
    expect(performance.now() - startedAt).toBeGreaterThanOrEqual(190);
    expect(decision).toMatchObject({ source: "model", selected: "pay_refund" });
    expect(outcomesOf(decision)).toEqual(["failed", "accepted"]);
  });

  test.each<[string, StubReply]>([
    ["429", { status: 429, json: {} }],
    ["500", { status: 500, json: {} }],
    ["HTML with 200", { status: 200, text: "<html>" }],
    ["a reset connection", { reset: true }],
    ["a wrong key", { status: 401, json: {} }],
  ])("%s: the next model is asked at once", async (_name, reply) => {
    server.script(reply, choosing("Refund"));
    const { decision } = await decide(requestOf({ models: ["openai:one", "openai:two"] }));
    expect(decision).toMatchObject({ source: "model", selected: "pay_refund", model: "openai:two" });
    expect(server.requests.map(({ body }) => body.model)).toEqual(["one", "two"]);
  });

  test("where the policy says fail, trouble that passes keeps an error a retry policy acts on", async () => {
    server.script({ status: 429, headers: { "retry-after": "30" }, json: {} });
    const { failure } = await decide(requestOf({ onViolation: "fail" }));
    expect(failure).toMatchObject({ code: "MODEL_FAILED", retryable: true, details: { kind: "rate_limited", retryAfterMs: 30_000 } });
  });

  test("a budget that is used up ends in the fallback without a call, or in its own error", async () => {
    const complete = () => Promise.reject(new SignalboxError("BUDGET_EXCEEDED"));
    expect((await decide(requestOf({ complete }))).decision).toMatchObject({ source: "fallback", selected: "ask_customer" });
    expect((await decide(requestOf({ complete, onViolation: "fail" }))).failure?.code).toBe("BUDGET_EXCEEDED");
  });
});
