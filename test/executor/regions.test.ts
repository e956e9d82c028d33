import { expect, test } from "vitest";
import { z } from "zod";
import type { Json, JsonObject } from "../../src/definition/json.ts";
import { SignalboxError } from "../../src/errors.ts";
import { defineStep, type StepType } from "../../src/steps/step.ts";
import { createEngine, testInMemory } from "../support/engine.ts";

const ann = { id: "ann", tenant: "default" };

/** A step that takes `ms`, fails when told to, and remembers its calls. */
function workStep() {
  const calls: { step: string; path: string; key: string; item: Json }[] = [];
  const ends: { path: string; aborted: boolean }[] = [];
  const failures = new Set<string>();
  const type = defineStep({
    type: "work",
    title: "Work",
    description: "For tests",
    group: "Work",
    config: z.strictObject({ ms: z.number().default(0), give: z.unknown().optional() }),
    async run({ config, step, path, idempotencyKey, signal, input }) {
      calls.push({ step: step.id, path, key: idempotencyKey, item: input });
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, config.ms);
        signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
      });
      ends.push({ path, aborted: signal.aborted });
      if (failures.has(step.id)) throw new SignalboxError("STEP_FAILED", `${step.id} broke`);
      return { kind: "done", output: (config.give ?? step.id) as Json };
    },
  });
  return { type: type as unknown as StepType, calls, ends, failures };
}

const fan = (config: object, branches: Record<string, object[]>, more: object = {}) => ({
  id: "fan",
  name: "Fan",
  steps: [
    {
      id: "fan",
      type: "parallel",
      config: {
        branches: Object.entries(branches).map(([name, steps]) => ({ name, start: (steps[0] as { id: string }).id })),
        join: "after",
        ...config,
      },
      ...more,
    },
    ...(Object.values(branches).flatMap((steps) =>
      steps.map((step, index) => ({ nextSteps: [(steps[index + 1] as { id: string } | undefined)?.id ?? "after"], type: "work", ...step })),
    ) as unknown as { id: string; type: string }[]),
    { id: "after", type: "transform", config: { set: { fan: "${ steps.fan.output }" } } },
  ],
  output: { fan: "${ steps.after.output.fan }" },
});

test("all branches run, join once, and their results come together by name", async () => {
  const { type, calls } = workStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(fan({}, { left: [{ id: "a" }, { id: "a2" }], right: [{ id: "b" }] }));
  const { id, status, output } = await engine.run("fan");
  expect({ status, output }).toEqual({
    status: "COMPLETED",
    output: {
      fan: {
        results: { left: "a2", right: "b" },
        branches: { left: { status: "completed", error: null }, right: { status: "completed", error: null } },
      },
    },
  });
  expect(calls.map(({ path }) => path).toSorted()).toEqual(["fan.left/a", "fan.left/a2", "fan.right/b"]);
  const steps = await engine.executor.steps("default", id);
  expect(steps.filter(({ stepId }) => stepId === "after")).toHaveLength(1);
  expect(steps.map(({ stepId, status: step }) => [stepId, step]).toSorted()).toEqual([
    ["a", "COMPLETED"],
    ["a2", "COMPLETED"],
    ["after", "COMPLETED"],
    ["b", "COMPLETED"],
    ["fan", "COMPLETED"],
  ]);
  // The record names the newest checkpoint of what can still go on: of regions that ended, none.
  expect(Object.keys((await engine.executor.get("default", id)).checkpoints)).toEqual([""]);
  const events = await engine.events(id);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.find(({ stepId, type: kind }) => stepId === "a2" && kind === "step.completed")?.branch).toBe("fan.left");
});

testInMemory("a slow branch never holds back a fast one", async () => {
  const { type, ends } = workStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(fan({}, { slow: [{ id: "s", config: { ms: 300 } }], fast: [{ id: "f1" }, { id: "f2" }, { id: "f3" }] }));
  expect((await engine.run("fan")).status).toBe("COMPLETED");
  expect(ends.map(({ path }) => path)).toEqual(["fan.fast/f1", "fan.fast/f2", "fan.fast/f3", "fan.slow/s"]);
});

test("waitFor any goes on with the first and aborts the others", async () => {
  const { type, ends } = workStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(fan({ waitFor: "any" }, { slow: [{ id: "s", config: { ms: 5_000 } }, { id: "never" }], fast: [{ id: "f" }] }));
  const { output, status } = await engine.run("fan");
  expect(status).toBe("COMPLETED");
  expect(output).toMatchObject({ fan: { results: { fast: "f" }, branches: { slow: { status: "cancelled" } } } });
  await expect.poll(() => ends).toContainEqual({ path: "fan.slow/s", aborted: true });
});

test("a branch that waits for a person is withdrawn when another one was enough", async () => {
  const { type } = workStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(
    fan(
      { waitFor: "count", requiredCount: 2 },
      {
        ask: [{ id: "ask", type: "approval", config: { title: "?" } }],
        one: [{ id: "one", config: { ms: 50 } }],
        two: [{ id: "two", config: { ms: 80 } }],
      },
    ),
  );
  const { id, output, status } = await engine.run("fan");
  expect(status).toBe("COMPLETED");
  expect(output).toMatchObject({ fan: { results: { one: "one", two: "two" }, branches: { ask: { status: "cancelled" } } } });
  const { items } = await engine.executor.waits("default", { executionId: id, pageSize: 10 });
  expect(items.map((wait) => wait.status)).toEqual(["cancelled"]);
});

test("two approvals in two branches are answered each on its own, and nothing is asked or run twice", async () => {
  const { type, calls } = workStep();
  await using engine = await createEngine({ stepTypes: [type] });
  const ask = (id: string) => ({ id, type: "approval", config: { title: id } });
  await engine.define(
    fan(
      {},
      {
        left: [{ id: "l0" }, ask("l"), { id: "l2" }],
        right: [{ id: "r0" }, ask("r"), { id: "r2" }],
        busy: [{ id: "busy", config: { ms: 100 } }],
      },
    ),
  );
  const { id } = await engine.run("fan");
  const waits = async () => (await engine.executor.waits("default", { executionId: id, status: "open", pageSize: 10 })).items;
  const [first, second] = (await waits()).toSorted((left, right) => (left.title < right.title ? -1 : 1));
  expect([first?.title, second?.title]).toEqual(["l", "r"]);
  await engine.executor.answer(ann, second?.id ?? "", { decision: "approve" });
  await expect.poll(() => calls.map(({ step }) => step)).toContain("r2");
  expect(calls.map(({ step }) => step)).not.toContain("l2");
  await engine.executor.answer(ann, first?.id ?? "", { decision: "approve" });
  expect((await engine.settled(id)).status).toBe("COMPLETED");
  expect(calls.map(({ step }) => step).toSorted()).toEqual(["busy", "l0", "l2", "r0", "r2"]);
  const events = await engine.events(id);
  expect(events.filter(({ type: kind }) => kind === "step.waiting")).toHaveLength(2);
});

testInMemory("an answer that comes while another branch is at work is applied at once, and the busy step is not repeated", async () => {
  const { type, calls } = workStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(
    fan(
      {},
      {
        ask: [{ id: "ask", type: "approval", config: { title: "?" } }, { id: "asked" }],
        busy: [{ id: "b1", config: { ms: 400 } }, { id: "b2", config: { ms: 400 } }, { id: "b3" }],
      },
    ),
  );
  const { id } = await engine.start("fan");
  await expect
    .poll(async () => (await engine.executor.waits("default", { executionId: id, status: "open", pageSize: 10 })).items.length)
    .toBe(1);
  const [wait] = (await engine.executor.waits("default", { executionId: id, status: "open", pageSize: 10 })).items;
  await engine.executor.answer(ann, wait?.id ?? "", { decision: "approve" });
  await expect.poll(() => calls.map(({ step }) => step)).toContain("asked");
  expect(calls.map(({ step }) => step)).not.toContain("b3");
  expect((await engine.settled(id)).status).toBe("COMPLETED");
  expect(calls.map(({ step }) => step).toSorted()).toEqual(["asked", "b1", "b2", "b3"]);
});

test("failFast cancels the other branches and the failure takes the step's way `on: error`", async () => {
  const { type, failures, ends } = workStep();
  failures.add("bad");
  await using engine = await createEngine({ stepTypes: [type] });
  const definition = fan(
    {},
    { good: [{ id: "good", config: { ms: 5_000 } }], bad: [{ id: "bad" }] },
    { nextSteps: [{ to: "rescue", on: "error" }] },
  );
  await engine.define({
    ...definition,
    steps: [...definition.steps, { id: "rescue", type: "transform", config: { set: { rescued: true } } }],
    output: { rescued: "${ steps.rescue.output }" },
  });
  const { id, status, output } = await engine.run("fan");
  expect({ status, output }).toEqual({ status: "COMPLETED", output: { rescued: { rescued: true } } });
  await expect.poll(() => ends).toContainEqual({ path: "fan.good/good", aborted: true });
  const failed = (await engine.executor.steps("default", id)).find(({ stepId }) => stepId === "fan");
  expect(failed).toMatchObject({
    status: "FAILED",
    error: { code: "STEP_FAILED", message: 'Branch "bad" failed: bad broke' },
    next: "rescue",
  });
});

test("collect turns a failed branch into a result", async () => {
  const { type, failures } = workStep();
  failures.add("bad");
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(fan({ onBranchError: "collect" }, { good: [{ id: "good", config: { ms: 30 } }], bad: [{ id: "bad" }] }));
  const { output } = await engine.run("fan");
  expect(output).toMatchObject({
    fan: { results: { good: "good" }, branches: { bad: { status: "failed", error: { code: "STEP_FAILED", message: "bad broke" } } } },
  });
});

test("a failure in a branch that nobody handles fails the execution there; retried, only that step runs again", async () => {
  const { type, failures, calls } = workStep();
  failures.add("bad");
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(fan({}, { good: [{ id: "g1", config: { ms: 30 } }, { id: "g2" }], bad: [{ id: "b0" }, { id: "bad" }] }));
  const failed = await engine.run("fan");
  expect(failed).toMatchObject({ status: "FAILED", error: { code: "STEP_FAILED", stepId: "bad" } });
  failures.clear();
  await engine.executor.retry(ann, failed.id);
  expect((await engine.settled(failed.id)).status).toBe("COMPLETED");
  expect(calls.map(({ step }) => step).toSorted()).toEqual(["b0", "bad", "bad", "g1", "g2"]);
});

test("a loop runs its body once per item, in order, with item and index", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "loop",
    name: "Loop",
    variables: { sum: { type: "number", default: 0, reducer: "sum" } },
    steps: [
      {
        id: "each",
        type: "loop",
        config: { loopType: "for_each", over: "${ input.items }", maxIterations: 10, body: "double" },
        nextSteps: ["end"],
      },
      {
        id: "double",
        type: "transform",
        config: { set: { value: "${ item * 2.0 }", at: "${ index }" } },
        output: { sum: "${ output.value }" },
      },
      { id: "end", type: "end" },
    ],
    output: { loop: "${ steps.each.output }", sum: "${ vars.sum }" },
  });
  const { output, status, error } = await engine.run("loop", { items: [1, 2, 3] });
  expect({ status, error, output }).toEqual({
    status: "COMPLETED",
    error: null,
    output: {
      loop: {
        count: 3,
        results: [
          { value: 2, at: 0 },
          { value: 4, at: 1 },
          { value: 6, at: 2 },
        ],
        errors: [],
      },
      sum: 12,
    },
  });
  expect((await engine.run("loop", { items: [] })).output).toEqual({ loop: { count: 0, results: [], errors: [] }, sum: 0 });
  expect((await engine.run("loop", { items: Array.from({ length: 11 }, () => 1) })).error).toMatchObject({
    code: "LOOP_LIMIT_EXCEEDED",
    stepId: "each",
  });
});

test("a while loop sees what its body wrote, and ends at its limit", async () => {
  await using engine = await createEngine();
  const define = (id: string, condition: string) =>
    engine.define({
      id,
      name: id,
      variables: { n: { type: "number", default: 0, reducer: "sum" } },
      steps: [
        { id: "again", type: "loop", config: { loopType: "while", while: condition, maxIterations: 6, body: "add" } },
        { id: "add", type: "transform", config: { set: {} }, output: { n: 1 } },
      ],
      output: { n: "${ vars.n }" },
    });
  await define("bounded", "vars.n < 4.0");
  await define("endless", "vars.n >= 0.0");
  expect((await engine.run("bounded")).output).toEqual({ n: 4 });
  expect((await engine.run("endless")).error).toMatchObject({ code: "LOOP_LIMIT_EXCEEDED" });
});

test("1,000 items with concurrency 20: each once, never more than 20 at work, small checkpoints", async () => {
  let atWork = 0;
  let most = 0;
  const seen: number[] = [];
  const type = defineStep({
    type: "slow",
    title: "Slow",
    description: "For tests",
    group: "Work",
    config: z.strictObject({ n: z.number() }),
    async run({ config }) {
      most = Math.max(most, ++atWork);
      await new Promise((resolve) => setImmediate(resolve));
      atWork -= 1;
      seen.push(config.n);
      return { kind: "done", output: config.n };
    },
  });
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define({
    id: "many",
    name: "Many",
    limits: { maxSteps: 5_000 },
    steps: [
      {
        id: "each",
        type: "loop",
        config: { loopType: "for_each", over: "${ input.items }", maxIterations: 1_000, concurrency: 20, body: "slow" },
      },
      { id: "slow", type: "slow", config: { n: "${ item.n }" } },
    ],
    output: { count: "${ steps.each.output.count }", last: "${ steps.each.output.results[999] }" },
  });
  const items = Array.from({ length: 1_000 }, (_, n) => ({ n, padding: "x".repeat(200) }));
  const started = await engine.start("many", { items });
  const done = await engine.executor.waitForEnd("default", started.id, { timeoutMs: 60_000 });
  expect(done).toMatchObject({ status: "COMPLETED", output: { count: 1_000, last: 999 } });
  expect(seen.toSorted((left, right) => left - right)).toEqual(items.map(({ n }) => n));
  expect(most).toBeLessThanOrEqual(20);
  const sizes: number[] = [];
  for await (const { checkpoint } of engine.store.checkpointer.list({ configurable: { thread_id: started.id, tenant: "default" } }))
    sizes.push(JSON.stringify(checkpoint.channel_values).length);
  // The list itself has 220 kB and is stored once.
  expect(Math.max(...sizes)).toBeLessThan(20_000);
}, 90_000);

test("a failed round is a result where the loop says so", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "loop",
    name: "Loop",
    steps: [
      {
        id: "each",
        type: "loop",
        config: { loopType: "for_each", over: "${ input.items }", maxIterations: 10, body: "half", onItemError: "continue" },
      },
      { id: "half", type: "transform", config: { set: { value: "${ item.n / 2.0 }" } } },
    ],
    output: { loop: "${ steps.each.output }" },
  });
  const { output } = await engine.run("loop", { items: [{ n: 2 }, {}, { n: 6 }] });
  expect(output).toMatchObject({
    loop: { count: 3, results: [{ value: 1 }, null, { value: 3 }], errors: [{ index: 1, code: "EXPRESSION_FAILED" }] },
  });
});

test("regions nest: a parallel step inside a loop inside a branch", async () => {
  const { type, calls } = workStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define({
    id: "nest",
    name: "Nest",
    steps: [
      {
        id: "outer",
        type: "parallel",
        config: {
          branches: [
            { name: "x", start: "each" },
            { name: "y", start: "plain" },
          ],
          join: "end",
        },
      },
      {
        id: "each",
        type: "loop",
        config: { loopType: "for_each", over: "${ input.items }", maxIterations: 5, body: "inner" },
        nextSteps: ["end"],
      },
      {
        id: "inner",
        type: "parallel",
        config: {
          branches: [
            { name: "p", start: "p" },
            { name: "q", start: "q" },
          ],
          join: "joined",
        },
      },
      { id: "p", type: "work", input: { item: "${ item }" }, nextSteps: ["joined"] },
      { id: "q", type: "delay", config: { for: "5ms" }, nextSteps: ["joined"] },
      { id: "joined", type: "transform", config: { set: { p: "${ steps.inner.output.results.p }", item: "${ item }" } } },
      { id: "plain", type: "work", nextSteps: ["end"] },
      { id: "end", type: "end" },
    ],
    output: { each: "${ steps.each.output.results }" },
  });
  const { status, output, error } = await engine.run("nest", { items: ["one", "two"] });
  expect({ status, error, output }).toEqual({
    status: "COMPLETED",
    error: null,
    output: {
      each: [
        { p: "p", item: "one" },
        { p: "p", item: "two" },
      ],
    },
  });
  expect(calls.filter(({ step }) => step === "p").map(({ item }) => (item as JsonObject)["item"])).toEqual(["one", "two"]);
  expect(new Set(calls.map(({ key }) => key)).size).toBe(calls.length);
});
