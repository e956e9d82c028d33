import { expect, test } from "vitest";
import { z } from "zod";
import { SignalboxError } from "../../src/errors.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import type { Worker } from "../../src/executor/worker.ts";
import { defineStep, type StepType } from "../../src/steps/step.ts";
import { createEngine, type Engine } from "../support/engine.ts";

const ann = { id: "ann", tenant: "default" };

/** A payment whose receiver keeps the keys it saw. */
function payStep() {
  const keys: string[] = [];
  let behave: () => Promise<string> = async () => "paid";
  const type = defineStep({
    type: "pay",
    title: "Pay",
    description: "For tests",
    group: "Work",
    config: z.strictObject({}),
    async run({ idempotencyKey }) {
      keys.push(idempotencyKey);
      return { kind: "done", output: await behave() };
    },
  });
  return { type: type as unknown as StepType, keys, next: (how: () => Promise<string>) => (behave = how) };
}

const workflow = {
  id: "pay",
  name: "Pay",
  steps: [
    {
      id: "pay",
      type: "pay",
      effect: "once" as const,
      retry: { maxAttempts: 5, delay: "1ms" },
      nextSteps: [{ to: "done" }, { to: "refund", on: "error" as const }],
    },
    { id: "done", type: "end" },
    { id: "refund", type: "end" },
  ],
  output: { pay: "${ steps.pay.output }" },
};

async function question(engine: Engine, executionId: string) {
  const { items } = await engine.executor.waits("default", { executionId, kind: "approval", status: "open", pageSize: 5 });
  const [wait] = items;
  if (!wait) throw new Error("nothing is asked");
  return wait;
}

/** A worker that dies inside the call: its lease is let run out, its step never answers. */
async function dieInside(engine: Engine, step: ReturnType<typeof payStep>) {
  step.next(() => new Promise(() => {}));
  const { id } = await engine.start("pay");
  await expect.poll(() => step.keys.length).toBe(1);
  step.next(async () => "paid later");
  const other = engine.addWorker("worker-2");
  other.takeOver({ tenant: "default", executionId: id }, "worker-1");
  return { id, other };
}

/** Answers, and lets the living worker take the answer up: the hint goes to the dead one. */
async function settle(engine: Engine, worker: Worker, id: string, waitId: string, data: JsonObject) {
  const answered = engine.executor.answer(ann, waitId, data);
  await expect.poll(async () => (await engine.store.inbox.list("default", id)).length).toBe(1);
  worker.take({ tenant: "default", executionId: id });
  await answered;
  await worker.idle();
  return await engine.executor.get("default", id);
}

test("after a crash inside the call, an effect that may happen once is not repeated: a person is asked", async () => {
  const step = payStep();
  await using engine = await createEngine({ stepTypes: [step.type] });
  await engine.define(workflow);
  const { id, other } = await dieInside(engine, step);
  await other.idle();
  const asked = await question(engine, id);
  expect(asked.request).toMatchObject({
    kind: "effect",
    choices: ["happened", "retry", "fail"],
    evidence: { idempotencyKey: `${id}/pay/1` },
  });
  expect(step.keys).toHaveLength(1);
  expect(await settle(engine, other, id, asked.id, { decision: "happened", values: { receipt: 7 } })).toMatchObject({
    status: "COMPLETED",
    output: { pay: { receipt: 7 } },
  });
  expect(step.keys).toHaveLength(1);
});

test("told to try again, it is called with the same key; told to give up, it fails with its own code", async () => {
  for (const [decision, output, calls] of [
    ["retry", "paid later", 2],
    ["fail", null, 1],
  ] as const) {
    const step = payStep();
    await using engine = await createEngine({ stepTypes: [step.type] });
    await engine.define(workflow);
    const { id, other } = await dieInside(engine, step);
    await other.idle();
    expect(await settle(engine, other, id, (await question(engine, id)).id, { decision })).toMatchObject({
      status: "COMPLETED",
      output: { pay: output },
    });
    expect(step.keys).toHaveLength(calls);
    expect(new Set(step.keys).size).toBe(1);
    const pay = (await engine.executor.steps("default", id)).find(({ stepId }) => stepId === "pay");
    expect(pay?.error?.code ?? null).toBe(decision === "fail" ? "EFFECT_UNKNOWN" : null);
  }
});

test("an error that leaves the outcome open is asked about, one that says nothing happened is retried", async () => {
  const step = payStep();
  await using engine = await createEngine({ stepTypes: [step.type] });
  await engine.define(workflow);
  step.next(() => Promise.reject(new SignalboxError("STEP_TIMEOUT", "no answer")));
  const open = await engine.run("pay");
  expect((await question(engine, open.id)).request["description"]).toBe("no answer");
  expect(step.keys).toHaveLength(1);
  let refusals = 0;
  step.next(() =>
    refusals++ < 2
      ? Promise.reject(new SignalboxError("STEP_FAILED", "refused", { details: { happened: false } }))
      : Promise.resolve("paid"),
  );
  expect(await engine.run("pay")).toMatchObject({ status: "COMPLETED", output: { pay: "paid" } });
  expect(step.keys).toHaveLength(4);
});
