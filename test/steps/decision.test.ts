import { describe, expect, test } from "vitest";
import type { z } from "zod";
import { createModels } from "../../src/ai/models.ts";
import type { Script, ScriptReply, ScriptRequest } from "../../src/ai/scripted.ts";
import { Decision } from "../../src/definition/decision.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import type { NextStep, Step } from "../../src/definition/step.ts";
import type { WaitAnswer } from "../../src/definition/wait.ts";
import decision from "../../src/steps/decision.step.ts";
import { decisionIdOf } from "../../src/ai/decision-record.ts";
import { stepContext, type StepContextOptions } from "../support/step-context.ts";

type Config = z.infer<typeof decision.config>;

const OPTIONS: NextStep[] = [
  { to: "refund", when: "input.amount < 500", label: "Refund", description: "Give the money back" },
  { to: "support", label: "Support", description: "Technical problems, crashes and errors" },
  { to: "reject", label: "Reject", description: "Close the case" },
];
const CASE = { input: { message: "It crashes with an error", amount: 100 }, vars: { ticket: "Money please" } };

function contextOf(config: JsonObject = {}, over: Partial<StepContextOptions<Config>> & { script?: Script } = {}) {
  const { script, ...rest } = over;
  const calls: ScriptRequest[] = [];
  const scripts: Record<string, Script> = script ? { test: script } : {};
  const models = createModels({ scripts, default: script ? "scripted:test" : undefined });
  const context = stepContext<Config>({
    config: decision.config.parse(config),
    nextSteps: OPTIONS,
    scope: CASE,
    models: { complete: (request) => models.complete(request) },
    ...rest,
  });
  return Object.assign(context, { calls });
}

/** Answers with the option that has this label. */
function choosing(label: string, over: object = {}): (request: ScriptRequest) => ScriptReply {
  return ({ messages }) => {
    const choice = new RegExp(String.raw`^- (o\d+): ${label}\b`, "m").exec(messages[0]?.text ?? "")?.[1] ?? "none";
    return JSON.stringify({ choice, confidence: 0.8, rationale: "because", ...over });
  };
}

function given(data: JsonObject): WaitAnswer {
  return { by: "given", principal: "maria", at: "2026-01-01T00:00:00.000Z", data };
}

describe("the decision step", () => {
  test("goes to what was chosen, recorded before it returns, and says why", async () => {
    const context = contextOf();
    const result = await decision.run(context);
    expect(result).toMatchObject({
      kind: "done",
      goto: "support",
      output: { selected: "support", source: "model", model: "scripted:offline", offline: true },
    });
    expect(context.records).toHaveLength(1);
    expect(Decision.parse(context.records[0])).toMatchObject({
      selected: "support",
      stepId: "route",
      visit: 1,
      rationale: expect.stringContaining('"crashes"'),
    });
    expect(context.events).toEqual([]);
  });

  test("case 14: a record of this visit is the answer; nothing is asked and nothing recorded again", async () => {
    const first = contextOf();
    await decision.run(first);
    let calls = 0;
    const again = contextOf({}, { recorded: first.records[0], script: () => (calls++, "never") });
    expect(await decision.run(again)).toMatchObject({ kind: "done", goto: "support" });
    expect(calls).toBe(0);
    expect(again.records).toEqual([]);
  });

  test("the record has the id under which the executor looks it up", async () => {
    const context = contextOf();
    await decision.run(context);
    expect(context.records[0]?.id).toBe(decisionIdOf(context.idempotencyKey));
  });

  test("options are the next steps that are open now and in the policy of workflow and step", async () => {
    const context = contextOf(
      { policy: { allowedNextSteps: ["support", "reject"] } },
      {
        scope: { input: { amount: 900 }, vars: {} },
        policy: { allowDirectEmit: false, allowedNextSteps: ["refund", "reject"] },
      },
    );
    expect(await decision.run(context)).toMatchObject({ goto: "reject", output: { source: "only_option" } });
    expect(context.records[0]?.candidates.map(({ id, verdict }) => [id, verdict])).toEqual([
      ["refund", "condition is false: input.amount < 500"],
      ["support", "not in the policy"],
      ["reject", "allowed"],
    ]);
  });

  test("nothing open is NO_ROUTE", async () => {
    const context = contextOf({ policy: { allowedNextSteps: ["refund"] } }, { scope: { input: { amount: 900 }, vars: {} } });
    await expect(decision.run(context)).rejects.toMatchObject({ code: "NO_ROUTE" });
    expect(context.records).toEqual([]);
  });

  test("a rule decides before any model, with its reason", async () => {
    const rules = [
      { when: "input.amount > 1000", choose: "reject" },
      { when: "input.amount < 200", choose: "refund", why: "Small amounts are paid." },
    ];
    expect(await decision.run(contextOf({ rules }))).toMatchObject({
      goto: "refund",
      output: { source: "rule", rationale: "Small amounts are paid." },
    });
    await expect(decision.run(contextOf({ rules: [{ when: "input.amount", choose: "refund" }] }))).rejects.toMatchObject({
      code: "EXPRESSION_FAILED",
    });
  });

  test("the model sees only the inputs that are named", async () => {
    const context = contextOf({ inputs: ["vars.ticket", "vars.missing"] });
    expect(await decision.run(context)).toMatchObject({ goto: "refund" });
    expect(context.records[0]?.state).toEqual({ "vars.ticket": "Money please", "vars.missing": null });
    expect(await decision.run(contextOf({ inputs: { text: "please close the case" } }))).toMatchObject({ goto: "reject" });
  });

  test("each refused answer is an event, and the fallback is taken", async () => {
    const context = contextOf({ fallback: "reject" }, { script: choosing("Refund", { choice: "delete_all" }) });
    expect(await decision.run(context)).toMatchObject({ goto: "reject", output: { source: "fallback" } });
    expect(context.events).toHaveLength(2);
    expect(context.events[0]).toMatchObject({
      type: "decision.guarded",
      data: { decisionId: context.records[0]?.id, outcome: "not_allowed", attempted: "delete_all", attempt: 1 },
    });
    expect(context.events[0]?.summary).toContain("delete_all");
  });

  test("a failure is recorded under an id of its own, so that a retry asks again", async () => {
    const failing = contextOf({ onViolation: "fail" }, { script: ["nonsense"], attempt: 2 });
    await expect(decision.run(failing)).rejects.toMatchObject({ code: "DECISION_FAILED" });
    const [record] = failing.records;
    expect(record).toMatchObject({ source: "none", selected: null });
    expect(record?.id).toBe(`${decisionIdOf(failing.idempotencyKey)}.failed-2`);
    expect(failing.events).toHaveLength(2);
  });

  test("the stricter of two minimum confidences counts", async () => {
    const script = choosing("Refund", { confidence: 0.6 });
    const policy = { allowDirectEmit: false, minConfidence: 0.7 };
    expect(await decision.run(contextOf({ minConfidence: 0.5, fallback: "reject" }, { script, policy }))).toMatchObject({ goto: "reject" });
    expect(await decision.run(contextOf({ minConfidence: 0.5, fallback: "reject" }, { script }))).toMatchObject({ goto: "refund" });
  });

  test("models outside the policy are not asked", async () => {
    let calls = 0;
    const context = contextOf(
      { fallback: "reject" },
      { script: () => (calls++, "x"), policy: { allowDirectEmit: false, allowedModels: ["openai:gpt-4o"] } },
    );
    expect(await decision.run(context)).toMatchObject({ goto: "reject", output: { source: "fallback" } });
    expect(calls).toBe(0);
  });
});

describe("asking a person", () => {
  const asking = { onLowConfidence: "human", minConfidence: 0.9 };
  const script = choosing("Refund", { confidence: 0.3, rationale: "not sure" });

  test("parks with the options that are open, the evidence, and a record of the question", async () => {
    const context = contextOf(asking, { script });
    const result = await decision.run(context);
    expect(result).toMatchObject({
      kind: "wait",
      wait: {
        kind: "approval",
        dueAt: null,
        open: {
          title: "Decide: route",
          request: { kind: "decision", choices: ["refund", "support", "reject"], form: null, evidence: { state: { input: CASE.input } } },
        },
      },
    });
    expect(context.records).toMatchObject([{ source: "human", selected: null, attempts: [{ outcome: "low_confidence" }] }]);
  });

  test("the person's choice is recorded under the question's id and taken", async () => {
    const context = contextOf(asking, { script });
    await decision.run(context);
    const [question] = context.records;
    const later = contextOf(asking, { recorded: question });
    expect(await decision.resume?.(later, given({ decision: "refund", reason: "Good customer" }), null)).toMatchObject({
      kind: "done",
      goto: "refund",
      output: { selected: "refund", source: "human", rationale: "Good customer", confidence: null },
    });
    expect(later.records).toMatchObject([
      { id: `${question?.id}.human`, source: "human", selected: "refund", answeredBy: "maria", tokensIn: 0 },
    ]);
    expect(Decision.parse(later.records[0])).toEqual(later.records[0]);
  });

  test("an answer that is no option any more asks again", async () => {
    const context = contextOf(asking, { script });
    await decision.run(context);
    const closed = contextOf(asking, { recorded: context.records[0], scope: { input: { amount: 900 }, vars: {} } });
    expect(await decision.resume?.(closed, given({ decision: "refund" }), null)).toMatchObject({ kind: "wait" });
    expect(await decision.resume?.(closed, given({ decision: "delete_all" }), null)).toMatchObject({ kind: "wait" });
    expect(closed.records).toEqual([]);
  });

  test("after a crash while waiting the same question stands, without a call", async () => {
    const context = contextOf(asking, { script });
    const first = await decision.run(context);
    let calls = 0;
    expect(await decision.run(contextOf(asking, { recorded: context.records[0], script: () => (calls++, "x") }))).toEqual(first);
    expect(calls).toBe(0);
  });
});

describe("what is checked when a workflow is saved", () => {
  function problems(config: JsonObject, nextSteps: NextStep[] = OPTIONS) {
    // Only these two fields are looked at.
    return (decision.check?.(decision.config.parse(config), { id: "route", nextSteps } as Step) ?? []).map(({ code, pointer }) => [
      code,
      pointer,
    ]);
  }

  test("names that are no options, everywhere at once", () => {
    const config = {
      rules: [{ when: "true", choose: "nowhere" }],
      examples: [{ given: "x", choose: "delete_all" }],
      policy: { allowedNextSteps: ["support", "gone"] },
    };
    expect(problems(config)).toEqual([
      ["UNKNOWN_TARGET", "/config/rules/0/choose"],
      ["UNKNOWN_TARGET", "/config/examples/0/choose"],
      ["UNKNOWN_TARGET", "/config/policy/allowedNextSteps/1"],
    ]);
  });

  test("case 8: options that are the same or equal under NFKC", () => {
    expect(problems({}, [{ to: "refund" }, { to: "refund", when: "true" }])).toEqual([["DUPLICATE_OPTION", "/nextSteps/1/to"]]);
    expect(problems({}, [{ to: "refund" }, { to: "ｒefund" }])).toEqual([["DUPLICATE_OPTION", "/nextSteps/1/to"]]);
    expect(problems({}, [{ to: "refund" }, { to: "refund", on: "error" }])).toEqual([]);
  });

  test("a recourse to a fallback that is not there", () => {
    expect(problems({ onViolation: "fallback" })).toEqual([["DECISION_WITHOUT_FALLBACK", "/config"]]);
    expect(problems({ onViolation: "fallback", fallback: "reject" })).toEqual([]);
  });

  test.each([
    { model: "gpt-4o" },
    { minConfidence: 2 },
    { inputs: ["steps.x"] },
    { policy: { allowDirectEmit: true } },
    { unknown: 1 },
    { models: [] },
  ])("config %j is refused", (config) => {
    expect(decision.config.safeParse(config).success).toBe(false);
  });
});
