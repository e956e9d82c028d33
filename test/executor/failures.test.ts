import { expect, test } from "vitest";
import { z } from "zod";
import type { Json } from "../../src/definition/json.ts";
import { SignalboxError } from "../../src/errors.ts";
import { defineStep, type StepType } from "../../src/steps/step.ts";
import { createEngine } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

/** A step that does what the queue of the test says, one entry per attempt, and remembers its calls. */
function scriptedStep(script: (() => Json | Promise<Json>)[]) {
  const calls: { key: string; attempt: number }[] = [];
  const type: StepType<{ [key: string]: unknown }> = defineStep({
    type: "scripted",
    title: "Scripted",
    description: "For tests",
    group: "Work",
    config: z.record(z.string(), z.unknown()),
    async run({ idempotencyKey, attempt }) {
      calls.push({ key: idempotencyKey, attempt });
      return { kind: "done", output: await (script.shift() ?? (() => "spent"))() };
    },
  });
  return { type, calls };
}

const boom =
  (code: "STEP_FAILED" | "INVALID_INPUT" = "STEP_FAILED") =>
  () => {
    throw new SignalboxError(code, "boom");
  };

test("a step is tried again with the same idempotency key, and every failed attempt is on record", async () => {
  const { type, calls } = scriptedStep([boom(), boom(), () => 7]);
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define({
    id: "w",
    name: "W",
    steps: [{ id: "s", type: "scripted", retry: { maxAttempts: 3, delay: "5ms" } }],
    output: { n: "${ steps.s.output }" },
  });
  const { id, output } = await engine.run("w");
  expect(output).toEqual({ n: 7 });
  expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2, 3]);
  expect(new Set(calls.map(({ key }) => key))).toEqual(new Set([`${id}/s/1`]));
  const types = (await engine.events(id)).filter(({ stepId }) => stepId === "s").map((event) => event.type);
  expect(types).toEqual(["step.started", "step.attempt_failed", "step.started", "step.attempt_failed", "step.started", "step.completed"]);
});

test("what the policy does not retry is not retried", async () => {
  const { type, calls } = scriptedStep([boom("INVALID_INPUT"), () => 1]);
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define({ id: "w", name: "W", steps: [{ id: "s", type: "scripted", retry: { maxAttempts: 5, delay: "1ms" } }] });
  expect((await engine.run("w")).error).toMatchObject({ code: "INVALID_INPUT", message: "boom", stepId: "s", visit: 1 });
  expect(calls).toHaveLength(1);
});

test("a long back-off parks the execution and goes on when its time comes", async () => {
  const { type, calls } = scriptedStep([boom(), () => 2]);
  const clock = manualClock();
  await using engine = await createEngine({ stepTypes: [type], clock });
  await engine.define({
    id: "w",
    name: "W",
    steps: [{ id: "s", type: "scripted", retry: { maxAttempts: 2, delay: "1m", jitter: false } }],
    output: { n: "${ steps.s.output }" },
  });
  const { id } = await engine.start("w");
  await expect.poll(async () => (await engine.executor.get("default", id)).isParked).toBe(true);
  await engine.worker.idle();
  expect(engine.worker.running).toBe(0);
  clock.advance(59_000);
  await engine.worker.idle();
  expect(calls).toHaveLength(1);
  clock.advance(1_001);
  await expect.poll(async () => (await engine.executor.get("default", id)).status).toBe("COMPLETED");
  expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2]);
});

test("an attempt that takes too long is aborted, and its late result changes nothing", async () => {
  let release: (value: Json) => void = () => {};
  const { type } = scriptedStep([() => new Promise<Json>((resolve) => (release = resolve)), () => "in time"]);
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define({
    id: "w",
    name: "W",
    steps: [{ id: "s", type: "scripted", timeout: "30ms", retry: { maxAttempts: 2, delay: "1ms" } }],
    output: { s: "${ steps.s.output }" },
  });
  const { output, id } = await engine.run("w");
  release("late");
  expect(output).toEqual({ s: "in time" });
  const failed = (await engine.events(id)).find(({ type: kind }) => kind === "step.attempt_failed");
  expect(failed?.data["code"]).toBe("STEP_TIMEOUT");
});

test("a failure takes the way `on: error`, and the way sees the error", async () => {
  const { type } = scriptedStep([boom()]);
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define({
    id: "w",
    name: "W",
    steps: [
      {
        id: "s",
        type: "scripted",
        nextSteps: [{ to: "ok" }, { to: "other", on: "error", when: 'error.code == "NOT_FOUND"' }, { to: "repair", on: "error" }],
      },
      { id: "ok", type: "end" },
      { id: "other", type: "end" },
      { id: "repair", type: "end" },
    ],
  });
  const { id, status } = await engine.run("w");
  expect(status).toBe("COMPLETED");
  expect((await engine.executor.steps("default", id)).map(({ stepId, status: step, next }) => [stepId, step, next])).toEqual([
    ["s", "FAILED", "repair"],
    ["repair", "COMPLETED", null],
  ]);
});

test("onError continues with a value, goes elsewhere, or fails; the workflow's policy comes last", async () => {
  const { type } = scriptedStep([boom(), boom(), boom(), boom()]);
  await using engine = await createEngine({ stepTypes: [type] });
  const define = (id: string, onError: object | undefined, workflowOnError?: object) =>
    engine.define({
      id,
      name: id,
      ...(workflowOnError === undefined ? {} : { onError: workflowOnError as { action: "goto" } }),
      steps: [
        { id: "s", type: "scripted", nextSteps: ["next"], ...(onError === undefined ? {} : { onError: onError as { action: "goto" } }) },
        { id: "next", type: "transform", config: { set: { got: "${ steps.s.output }" } } },
        { id: "rescue", type: "end" },
      ].filter(({ id: step }) => step !== "rescue" || JSON.stringify([onError, workflowOnError]).includes("rescue")),
      output: { got: "${ steps.next.output }" },
    });
  await define("continue", { action: "continue", value: { n: 0 } });
  await define("goto", { action: "goto", goto: "rescue" });
  await define("fail", { action: "fail" }, { action: "goto", goto: "rescue" });
  await define("workflow", undefined, { action: "goto", goto: "rescue" });
  expect((await engine.run("continue")).output).toEqual({ got: { got: { n: 0 } } });
  expect(await engine.run("goto")).toMatchObject({ status: "COMPLETED", output: { got: null } });
  expect(await engine.run("fail")).toMatchObject({ status: "FAILED", error: { code: "STEP_FAILED" } });
  expect(await engine.run("workflow")).toMatchObject({ status: "COMPLETED" });
});

test("a path never ends by accident: no way that applies is NO_ROUTE", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "w",
    name: "W",
    steps: [
      { id: "a", type: "transform", config: { set: {} }, nextSteps: [{ to: "b", when: "input.n > 1.0" }] },
      { id: "b", type: "end" },
    ],
  });
  expect((await engine.run("w", { n: 1 })).error).toMatchObject({ code: "NO_ROUTE", stepId: "a" });
  expect((await engine.run("w", { n: 2 })).status).toBe("COMPLETED");
});

test("an expression that fails is a failure of its step, with the expression named", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "w",
    name: "W",
    steps: [
      { id: "first", type: "start", nextSteps: ["a"] },
      { id: "a", type: "transform", config: { set: { x: "${ input.missing.deeper }" } } },
    ],
  });
  const { error, id, lastSeq } = await engine.run("w", {});
  expect(error).toMatchObject({ code: "EXPRESSION_FAILED", stepId: "a" });
  const events = await engine.events(id);
  expect(events).toHaveLength(lastSeq);
  expect(events.filter(({ type, stepId }) => type === "step.completed" && stepId === "first")).toHaveLength(1);
});

test("a failed execution goes on at its failed step when it is retried, or past it", async () => {
  const { type, calls } = scriptedStep([boom(), () => 5, boom()]);
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define({
    id: "w",
    name: "W",
    steps: [
      { id: "a", type: "transform", config: { set: {} }, nextSteps: ["s"] },
      { id: "s", type: "scripted", nextSteps: ["b"] },
      { id: "b", type: "transform", config: { set: { got: "${ steps.s.output }" } } },
    ],
    output: { got: "${ steps.b.output.got }" },
  });
  const actor = { id: "ann", tenant: "default" };
  const failed = await engine.run("w");
  expect(failed.status).toBe("FAILED");
  await engine.executor.retry(actor, failed.id);
  const done = await engine.settled(failed.id);
  expect(done).toMatchObject({ status: "COMPLETED", output: { got: 5 }, error: null });
  expect(calls.map(({ attempt }) => attempt)).toEqual([1, 2]);
  expect(new Set(calls.map(({ key }) => key)).size).toBe(1);
  const again = await engine.run("w");
  await engine.executor.retry(actor, again.id, { mode: "skip", output: "by hand" });
  expect(await engine.settled(again.id)).toMatchObject({ status: "COMPLETED", output: { got: "by hand" } });
  await expect(engine.executor.retry(actor, again.id)).rejects.toMatchObject({ code: "CONFLICT" });
});
