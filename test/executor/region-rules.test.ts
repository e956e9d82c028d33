import { expect, test } from "vitest";
import { z } from "zod";
import { defineStep } from "../../src/steps/step.ts";
import { createEngine } from "../support/engine.ts";

// Each of these was found by the property test in test/properties.

const plain = (id: string, nextSteps: string[] = [], more: object = {}) => ({
  id,
  type: "transform",
  config: { set: {} },
  nextSteps,
  ...more,
});
const loop = (id: string, config: object, more: object = {}) => ({
  id,
  type: "loop",
  config: { maxIterations: 20, body: `${id}-body`, ...config },
  ...more,
});

test("the results of a loop hold its large outputs themselves", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "w",
    name: "W",
    steps: [
      loop("each", { loopType: "count", count: 3, concurrency: 2 }, { nextSteps: ["after"] }),
      { id: "each-body", type: "transform", config: { set: { text: "${ input.text }", index: "${ index }" } } },
      { id: "after", type: "transform", config: { set: { sizes: "${ steps.each.output.results.map(r, size(r.text)) }" } } },
    ],
    output: { sizes: "${ steps.after.output.sizes }" },
  });
  expect(await engine.run("w", { text: "x".repeat(9_000) })).toMatchObject({
    status: "COMPLETED",
    output: { sizes: [9_000, 9_000, 9_000] },
  });
  const large = await engine.run("w", { text: "x".repeat(2_000_000) });
  expect(large.error).toMatchObject({ code: "TOO_LARGE", stepId: "each" });
});

test("the smallest of nothing and 3 is 3", async () => {
  await using engine = await createEngine();
  const variables = {
    low: { type: "number" as const, reducer: "min" as const },
    high: { type: "number" as const, reducer: "max" as const },
  };
  const steps = [plain("a", ["b"], { output: { low: 3, high: -3 } }), plain("b", [], { output: { low: 4, high: -4 } })];
  await engine.define({ id: "w", name: "W", variables, steps, output: { low: "${ vars.low }", high: "${ vars.high }" } });
  expect((await engine.run("w")).output).toEqual({ low: 3, high: -3 });
});

test("maxSteps holds for all branches together", async () => {
  await using engine = await createEngine();
  const names = ["x", "y", "z"];
  const line = (name: string) =>
    Array.from({ length: 15 }, (_, index) => plain(`${name}${index}`, [index < 14 ? `${name}${index + 1}` : "join"]));
  const branches = names.map((name) => ({ name, start: `${name}0` }));
  await engine.define({
    id: "w",
    name: "W",
    limits: { maxSteps: 20 },
    steps: [{ id: "fan", type: "parallel", config: { branches, join: "join" } }, ...names.flatMap(line), plain("join")],
  });
  const { id, error } = await engine.run("w");
  expect(error?.code).toBe("MAX_STEPS_EXCEEDED");
  const completed = (await engine.events(id)).filter(({ type }) => type === "step.completed");
  expect(completed.length).toBeLessThanOrEqual(20);
});

test("a branch that fails beside one with regions of its own takes the way on: error", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "w",
    name: "W",
    steps: [
      {
        id: "fan",
        type: "parallel",
        config: {
          branches: [
            { name: "loops", start: "each" },
            { name: "fails", start: "wait" },
          ],
          join: "join",
        },
        nextSteps: [{ to: "rescue", on: "error" }],
      },
      loop("each", { loopType: "count", count: 20 }, { nextSteps: ["join"] }),
      { id: "each-body", type: "delay", config: { for: "2ms" } },
      { id: "wait", type: "delay", config: { for: "5ms" }, nextSteps: ["bad"] },
      { id: "bad", type: "transform", config: { set: { v: "${ input.missing }" } }, nextSteps: ["join"] },
      plain("join"),
      plain("rescue"),
    ],
  });
  const { id, status, error } = await engine.run("w");
  expect({ status, error }).toEqual({ status: "COMPLETED", error: null });
  const steps = await engine.executor.steps("default", id);
  expect(steps.find(({ stepId }) => stepId === "fan")).toMatchObject({
    status: "FAILED",
    next: "rescue",
    error: { code: "EXPRESSION_FAILED" },
  });
  expect(steps.find(({ stepId }) => stepId === "each")).toMatchObject({ status: "FAILED", error: { code: "CANCELLED" } });
  expect(steps.filter(({ status: step }) => step === "RUNNING" || step === "WAITING")).toEqual([]);
});

test("a cancelled visit is on record, and its idempotency key is never used again", async () => {
  const keys: string[] = [];
  const slow = defineStep({
    type: "slow",
    title: "Slow",
    description: "For tests",
    group: "Work",
    config: z.strictObject({ ms: z.number() }),
    async run({ config, idempotencyKey, signal }) {
      keys.push(idempotencyKey);
      await new Promise<void>((resolve) => {
        setTimeout(resolve, config.ms).unref();
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
      return { kind: "done" };
    },
  });
  await using engine = await createEngine({ stepTypes: [slow] });
  await engine.define({
    id: "w",
    name: "W",
    variables: { n: { type: "number", default: 0, reducer: "sum" } },
    steps: [
      {
        id: "fan",
        type: "parallel",
        config: {
          branches: [
            { name: "slow", start: "slow" },
            { name: "quick", start: "quick" },
          ],
          join: "join",
          waitFor: "any",
        },
      },
      { id: "slow", type: "slow", config: { ms: 60_000 }, nextSteps: ["join"] },
      { id: "quick", type: "slow", config: { ms: 20 }, nextSteps: ["join"] },
      plain("join", [], { output: { n: 1 }, nextSteps: [{ to: "fan", when: "vars.n < 3" }, "end"] }),
      { id: "end", type: "end" },
    ],
  });
  const { id, status } = await engine.run("w");
  expect(status).toBe("COMPLETED");
  expect(keys.filter((key) => key.includes("slow/"))).toEqual([1, 2, 3].map((visit) => `${id}/fan.slow/slow/${visit}`));
  const visits = (await engine.executor.steps("default", id)).filter(({ stepId }) => stepId === "slow");
  expect(visits.map((visit) => [visit.visit, visit.status, visit.error?.code])).toEqual(
    [1, 2, 3].map((visit) => [visit, "FAILED", "CANCELLED"]),
  );
});

test("what branches and lanes write is joined in the order of the definition", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "w",
    name: "W",
    variables: { log: { type: "array", default: [], reducer: "append" } },
    steps: [
      {
        id: "fan",
        type: "parallel",
        config: {
          branches: [
            { name: "z", start: "z" },
            { name: "a", start: "a" },
          ],
          join: "each",
        },
      },
      plain("z", ["each"], { output: { log: ["z"] } }),
      plain("a", ["each"], { output: { log: ["a"] } }),
      loop("each", { loopType: "count", count: 12, concurrency: 12 }),
      plain("each-body", [], { output: { log: "${ [index] }" } }),
    ],
    output: { log: "${ vars.log }" },
  });
  expect((await engine.run("w")).output).toEqual({ log: ["z", "a", 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11] });
});

test("a loop whose condition cannot be evaluated fails as a step does, in its first round too", async () => {
  await using engine = await createEngine();
  const steps = [
    loop("each", { loopType: "while", while: "input.missing" }, { nextSteps: ["on", { to: "rescue", on: "error" }] }),
    plain("each-body"),
    plain("on"),
    plain("rescue"),
  ];
  await engine.define({ id: "w", name: "W", steps });
  const { id, status } = await engine.run("w");
  expect(status).toBe("COMPLETED");
  expect((await engine.executor.steps("default", id)).map(({ stepId, error }) => [stepId, error?.code])).toEqual([
    ["each", "EXPRESSION_FAILED"],
    ["rescue", undefined],
  ]);
});

test("the item of a loop keeps its name in the loops and branches inside", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "w",
    name: "W",
    variables: { order: {}, line: {}, log: { type: "array", default: [], reducer: "append" } },
    steps: [
      loop("orders", { loopType: "for_each", over: ["A", "B"], itemVariable: "order", body: "lines" }),
      loop("lines", { loopType: "for_each", over: [1, 2], itemVariable: "line", body: "fan" }),
      { id: "fan", type: "parallel", config: { branches: [{ name: "x", start: "x", input: "own" }], join: "join" } },
      plain("x", ["join"], { output: { log: "${ [vars.order + string(vars.line) + item] }" } }),
      plain("join"),
    ],
    output: { log: "${ vars.log }", order: "${ vars.order }" },
  });
  expect((await engine.run("w")).output).toEqual({ log: ["A1own", "A2own", "B1own", "B2own"], order: null });
});

test("the number of a round keeps its name in the loops and branches inside, in a count loop as well", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "w",
    name: "W",
    variables: { row: {}, column: {}, log: { type: "array", default: [], reducer: "append" } },
    steps: [
      loop("rows", { loopType: "count", count: 2, indexVariable: "row", body: "columns" }),
      loop("columns", { loopType: "for_each", over: ["a", "b"], indexVariable: "column", body: "fan" }),
      { id: "fan", type: "parallel", config: { branches: [{ name: "x", start: "x", input: "own" }], join: "join" } },
      plain("x", ["join"], { output: { log: "${ [string(vars.row) + string(vars.column) + item] }" } }),
      plain("join"),
    ],
    output: { log: "${ vars.log }", row: "${ vars.row }" },
  });
  expect((await engine.run("w")).output).toEqual({ log: ["00own", "01own", "10own", "11own"], row: null });
});

test("losers of a parallel step can only be cancelled", async () => {
  await using engine = await createEngine();
  const steps = (losers: string) => [
    { id: "fan", type: "parallel", config: { branches: [{ name: "x", start: "x" }], join: "join", losers } },
    plain("x", ["join"]),
    plain("join"),
  ];
  expect(engine.workflows.validate({ name: "W", steps: steps("cancel") }).issues).toEqual([]);
  expect(engine.workflows.validate({ name: "W", steps: steps("detach") }).issues.map(({ pointer }) => pointer)).toEqual([
    "/steps/0/config/losers",
  ]);
});

test("the input of a branch is evaluated once, when the branch begins", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "w",
    name: "W",
    variables: { n: { type: "number", default: 1, reducer: "sum" } },
    steps: [
      {
        id: "fan",
        type: "parallel",
        config: { branches: [{ name: "x", start: "x", input: "${ input.list[int(vars.n) - 1] }" }], join: "join" },
      },
      plain("x", ["join"], { config: { set: { item: "${ item }" } }, output: { n: 5 } }),
      plain("join"),
    ],
    output: { x: "${ steps.x.output.item }" },
  });
  expect(await engine.run("w", { list: ["only"] })).toMatchObject({ status: "COMPLETED", output: { x: "only" } });
});
