import { expect, test } from "vitest";
import { z } from "zod";
import { defineAction, type Action, type ActionContext } from "../../src/actions/action.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import type { StepInput } from "../../src/definition/step.ts";
import { SignalboxError } from "../../src/errors.ts";
import { loadActions } from "../../src/registry.ts";
import { createEngine } from "../support/engine.ts";

const ann = { id: "ann", tenant: "default" };
const retry = { maxAttempts: 3, delay: "1ms", multiplier: 1, maxDelay: "1ms", jitter: false };

const acting = (config: JsonObject, more: Partial<StepInput> = {}) => ({
  id: "act",
  name: "Act",
  steps: [{ id: "do", type: "action", config, ...more }],
  output: { did: "${ steps.do.output }" },
});

/** An action that does as told, and all it was called with. */
function spying(run: (context: ActionContext<{ amount: number }>) => unknown, effect: Action["effect"] = "idempotent") {
  const calls: ActionContext<{ amount: number }>[] = [];
  const action = defineAction({
    name: "invoice.send",
    title: "Send invoice",
    description: "Sends an invoice.",
    input: z.strictObject({ amount: z.number().min(1) }),
    effect,
    run(context) {
      calls.push(context);
      return run(context) as null;
    },
  });
  const actions = { get: (name: string) => (name === action.name ? (action as Action) : undefined), list: () => [action as Action] };
  return { services: { actions }, calls };
}

test("an action is called with its checked input, and what it returns is the output", async () => {
  const { services, calls } = spying(({ input }) => ({ sent: input.amount, at: new Date(0) }));
  await using engine = await createEngine({ services });
  await engine.define(acting({ action: "invoice.send", input: { amount: "${ input.total }" } }));
  const { id, output } = await engine.run("act", { total: 12 });
  expect(output).toEqual({ did: { sent: 12, at: "1970-01-01T00:00:00.000Z" } });
  expect(calls).toMatchObject([
    { input: { amount: 12 }, idempotencyKey: `${id}/do/1`, attempt: 1, executionId: id, stepId: "do", tenant: "default" },
  ]);
});

test("an input that does not fit is found when the workflow is saved, and where an expression gives it, before the action is called", async () => {
  const { services, calls } = spying(() => null);
  await using engine = await createEngine({ services });
  const issues = (config: JsonObject) =>
    engine.workflows.validate(acting(config)).issues.map(({ pointer, message, hint }) => [pointer, message, hint]);
  expect(issues({ action: "invoice.send", input: { amount: 0, none: 1 } })).toMatchObject([
    ["/steps/0/config/input/amount", expect.stringContaining("1"), undefined],
    ["/steps/0/config/input/none", 'There is no field "none" here.', "Fields are amount."],
  ]);
  expect(issues({ action: "invoice.sent" })).toEqual([
    ["/steps/0/config/action", 'There is no action "invoice.sent".', 'Did you mean "invoice.send"?'],
  ]);
  await engine.define(acting({ action: "invoice.send", input: { amount: "${ input.total }" } }, { retry }));
  expect((await engine.run("act", { total: -1 })).error).toMatchObject({ code: "INVALID_INPUT", path: "/input/amount" });
  expect(calls).toHaveLength(0);
});

test("an action that throws is tried again with the same key; one that says it is no use is not", async () => {
  let failures = 2;
  const flaky = spying(() => {
    if (failures-- > 0) throw new Error("busy");
    return "done";
  });
  await using engine = await createEngine({ services: flaky.services });
  await engine.define(acting({ action: "invoice.send", input: { amount: 1 } }, { retry }));
  expect((await engine.run("act")).output).toEqual({ did: "done" });
  expect(new Set(flaky.calls.map(({ idempotencyKey }) => idempotencyKey)).size).toBe(1);
  expect(flaky.calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  const final = spying(() => {
    throw new SignalboxError("CONFLICT", "Sent already.");
  });
  await using other = await createEngine({ services: final.services });
  await other.define(acting({ action: "invoice.send", input: { amount: 1 } }, { retry }));
  expect((await other.run("act")).error).toMatchObject({ code: "CONFLICT", message: "Sent already." });
  expect(final.calls).toHaveLength(1);
});

test("an action that says its effect may happen once is not repeated without asking, although the step does not say so", async () => {
  const { services, calls } = spying(() => Promise.reject(new Error("the line went dead")), "once");
  await using engine = await createEngine({ services });
  await engine.define(acting({ action: "invoice.send", input: { amount: 1 } }, { retry }));
  const { id, waits } = await engine.run("act");
  expect(waits).toMatchObject([{ kind: "effect" }]);
  expect(calls).toHaveLength(1);
  const [open] = (await engine.executor.waits("default", { executionId: id, pageSize: 1 })).items;
  await engine.executor.answer(ann, open?.id ?? "", { decision: "happened", values: { sent: 1 } });
  await expect.poll(async () => (await engine.executor.get("default", id)).output).toEqual({ did: { sent: 1 } });
});

test("the policy says which actions a workflow may call", async () => {
  const { services, calls } = spying(() => null);
  await using engine = await createEngine({ services });
  const definition = acting({ action: "invoice.send", input: { amount: 1 } });
  await engine.define({ ...definition, policy: { allowedTools: ["log"] } });
  expect((await engine.run("act")).error).toMatchObject({ code: "FORBIDDEN" });
  await engine.define({ ...definition, id: "may", policy: { allowedTools: ["log", "invoice.send"] } });
  expect((await engine.run("may")).status).toBe("COMPLETED");
  expect(calls).toHaveLength(1);
});

test("the service's own actions: a line in the log, a random id, the time", async () => {
  const actions = await loadActions();
  expect(actions.list().map(({ name }) => name)).toEqual(["log", "random.uuid", "time.now"]);
  await using engine = await createEngine();
  await engine.define({
    id: "own",
    name: "Own",
    steps: [
      { id: "id", type: "action", config: { action: "random.uuid" }, nextSteps: ["time"] },
      { id: "time", type: "action", config: { action: "time.now" }, nextSteps: ["log"] },
      { id: "log", type: "action", config: { action: "log", input: { message: "New id ${ steps.id.output.uuid }" } } },
    ],
    output: { uuid: "${ steps.id.output.uuid }", epochMs: "${ steps.time.output.epochMs }" },
  });
  const before = Date.now();
  const { output } = await engine.run("own");
  const { uuid, epochMs } = z.object({ uuid: z.uuid(), epochMs: z.number() }).parse(output);
  expect(uuid).toHaveLength(36);
  expect(epochMs).toBeGreaterThanOrEqual(before);
  expect((await engine.run("own")).output).not.toMatchObject({ uuid });
});
