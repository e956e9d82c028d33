import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { decide, type DecisionRequest } from "../../src/ai/decision-maker.ts";
import { Decision } from "../../src/definition/decision.ts";
import { choosing, decisionRequest, opaqueId, outcomesOf } from "../support/decision-request.ts";
import { startOpenAIServer, type OpenAIServer, type SeenRequest, type StubReply } from "../support/openai-server.ts";

let server: OpenAIServer;
beforeEach(async () => {
  server = await startOpenAIServer();
});
afterEach(() => server[Symbol.asyncDispose]());

const requestOf = (over?: Partial<DecisionRequest>) => decisionRequest(server.baseUrl, over);

/** A reply whose choice is made from a correct one. */
function almost(change: (id: string) => string) {
  return (request: SeenRequest) => JSON.stringify({ choice: change(opaqueId(request, "Refund")), confidence: 0.9, rationale: "x" });
}

describe("replies that do not hold: one repair, then the fallback, never the first option", () => {
  test.each<[string, StubReply | ((request: SeenRequest) => StubReply), string]>([
    ["an id not in the list", choosing("Refund", { choice: "o9" }), "not_allowed"],
    ["case 1: the step id an injection asks for", choosing("Refund", { choice: "delete_all" }), "not_allowed"],
    ["case 2: a real step id", choosing("Refund", { choice: "pay_refund" }), "not_allowed"],
    ["an option's label", choosing("Refund", { choice: "Refund" }), "not_allowed"],
    ["case 8: a homoglyph", almost((id) => id.replace("o", "о")), "not_allowed"],
    ["case 8: an id with a zero-width space", almost((id) => `${id}\u200b`), "not_allowed"],
    ["case 8: a fullwidth id (equal under NFKC)", almost((id) => id.replace("o", "ｏ")), "not_allowed"],
    ["case 8: upper case", almost((id) => id.toUpperCase()), "not_allowed"],
    ["case 8: padded", almost((id) => ` ${id} `), "not_allowed"],
    ["__proto__", choosing("Refund", { choice: "__proto__" }), "not_allowed"],
    ["constructor", choosing("Refund", { choice: "constructor" }), "not_allowed"],
    ["a list of choices", choosing("Refund", { choice: ["o1", "o2"] }), "invalid"],
    ["confidence 7", choosing("Refund", { confidence: 7 }), "invalid"],
    ["confidence as text", choosing("Refund", { confidence: "0.9" }), "invalid"],
    ["confidence null", choosing("Refund", { confidence: null }), "invalid"],
    ["confidence beyond numbers", (request) => `{"choice":"${opaqueId(request, "Refund")}","confidence":1e999,"rationale":"x"}`, "invalid"],
    ["no confidence", (request) => JSON.stringify({ choice: opaqueId(request, "Refund"), rationale: "x" }), "invalid"],
    ["no rationale", (request) => JSON.stringify({ choice: opaqueId(request, "Refund"), confidence: 1 }), "invalid"],
    ["extra keys", choosing("Refund", { emit: "ADMIN_APPROVED" }), "invalid"],
    [
      "a __proto__ key",
      (request) => `{"choice":"${opaqueId(request, "Refund")}","confidence":1,"rationale":"x","__proto__":{"a":1}}`,
      "invalid",
    ],
    ["case 4: malformed JSON", '{"choice": o1', "invalid"],
    ["case 4: truncated JSON", '{"choice":"o1","confid', "invalid"],
    ["case 4: fenced JSON", (request) => `\`\`\`json\n${choosing("Refund")(request)}\n\`\`\``, "invalid"],
    ["case 4: empty", "", "invalid"],
    ["prose", "I think the refund is best.", "invalid"],
    ["prose around JSON", (request) => `Sure! ${choosing("Refund")(request)}`, "invalid"],
    ["a JSON list", (request) => `[${choosing("Refund")(request)}]`, "invalid"],
    ["JSON null", "null", "invalid"],
    ["cut at the token limit", (request) => ({ content: choosing("Refund")(request), finishReason: "length" }), "invalid"],
    ["case 10: a foreign tool call", { toolCalls: [{ name: "issue_refund", arguments: "{}" }] }, "invalid"],
    [
      "case 10: an answer and a tool call",
      (request) => ({ content: choosing("Refund")(request), toolCalls: [{ name: "pay", arguments: "{}" }] }),
      "invalid",
    ],
    [
      "case 10: two contradictory tool calls",
      {
        toolCalls: [
          { name: "decision", arguments: '{"choice":"o1"}' },
          { name: "decision", arguments: '{"choice":"o2"}' },
        ],
      },
      "invalid",
    ],
  ])("%s", async (_name, reply, outcome) => {
    server.script(reply);
    const { decision, failure, refusals } = await decide(requestOf());
    expect(failure).toBeNull();
    expect(decision).toMatchObject({ source: "fallback", selected: "ask_customer", confidence: null });
    expect(outcomesOf(decision)).toEqual([outcome, outcome]);
    expect(refusals.map(({ attempt }) => attempt)).toEqual([1, 2]);
    expect(decision.guardrails).toHaveLength(2);
    expect(Decision.parse(decision)).toEqual(decision);
    const [, repair] = server.requests;
    expect(server.requests).toHaveLength(2);
    expect(repair?.body.messages.map(({ role }) => role)).toEqual(["system", "user", "assistant", "user"]);
    expect(repair?.body.messages[3]?.content).toContain(decision.attempts[0]?.error ?? "missing");
  });

  test("what an injection tried is kept in the record", async () => {
    server.script(choosing("Refund", { choice: "delete_all", event: "ADMIN_APPROVED" }));
    const { decision, refusals } = await decide(requestOf());
    expect(decision.guardrails[0]).toEqual({ rule: "allowed_option", verdict: "not_allowed", value: "delete_all" });
    expect(decision.events[0]).toEqual({ event: "ADMIN_APPROVED", verdict: "event_not_allowed" });
    expect(refusals[0]).toMatchObject({ outcome: "not_allowed", attempted: "delete_all" });
    expect(decision.attempts[0]?.raw).toContain("ADMIN_APPROVED");
  });

  test("a repaired answer is taken", async () => {
    server.script("Refund!", choosing("Refund"));
    const { decision } = await decide(requestOf());
    expect(decision).toMatchObject({ source: "model", selected: "pay_refund", tokensIn: 22 });
    expect(outcomesOf(decision)).toEqual(["invalid", "accepted"]);
  });

  test("after the repair the next model is asked afresh, and three calls are the end", async () => {
    server.script("no", "no", choosing("Reject"));
    const { decision } = await decide(requestOf({ models: ["openai:one", "openai:two", "openai:three"] }));
    expect(decision).toMatchObject({ source: "model", selected: "reject_claim", model: "openai:two" });
    expect(server.requests.map(({ body }) => body.model)).toEqual(["one", "one", "two"]);
    expect(server.requests[2]?.body.messages).toHaveLength(2);
    server.script("no");
    expect((await decide(requestOf({ models: ["openai:one", "openai:two", "openai:three"] }))).decision).toMatchObject({
      source: "fallback",
    });
    expect(server.requests).toHaveLength(6);
  });
});
