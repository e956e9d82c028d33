import { expect, test } from "vitest";
import { createEngine } from "../support/engine.ts";

const line = {
  id: "line",
  name: "Five steps",
  variables: { total: { type: "number" as const, default: 0 }, log: { type: "array" as const, default: [], reducer: "append" as const } },
  steps: [
    { id: "begin", type: "start", nextSteps: ["double"] },
    {
      id: "double",
      type: "transform",
      config: { set: { value: "${ input.amount * 2 }" } },
      output: { total: "${ output.value }", log: "doubled" },
      nextSteps: ["add"],
    },
    {
      id: "add",
      type: "transform",
      config: { set: { value: "${ vars.total + 1 }" } },
      output: { total: "${ output.value }", log: ["added"] },
      nextSteps: ["say"],
    },
    {
      id: "say",
      type: "transform",
      config: { set: { text: "total is ${ vars.total }", plain: "$${ not an expression }" } },
      nextSteps: ["finish"],
    },
    { id: "finish", type: "end" },
  ],
  output: { total: "${ vars.total }", text: "${ steps.say.output.text }", plain: "${ steps.say.output.plain }", log: "${ vars.log }" },
};

test("a line of steps gives the workflow's output", async () => {
  await using engine = await createEngine();
  await engine.define(line);
  const execution = await engine.run("line", { amount: 20 });
  expect(execution.status).toBe("COMPLETED");
  expect(execution.output).toEqual({ total: 41, text: "total is 41", plain: "${ not an expression }", log: ["doubled", "added"] });
  expect(execution.variables).toEqual({ total: 41, log: ["doubled", "added"] });
});

test("a straight stretch of pure steps is one LangGraph superstep and one commit, with an event for every step", async () => {
  await using engine = await createEngine();
  await engine.define(line);
  const { id } = await engine.run("line", { amount: 1 });
  const events = await engine.events(id);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  const completed = events.filter(({ type }) => type === "step.completed").map(({ stepId }) => stepId);
  expect(completed).toEqual(["begin", "double", "add", "say", "finish"]);
  const tuples = [];
  for await (const tuple of engine.store.checkpointer.list({ configurable: { thread_id: id, tenant: "default" } }))
    tuples.push(tuple.metadata);
  expect(tuples.map((metadata) => metadata?.source).toSorted()).toEqual(["input", "loop"]);
});

test("time travel tells variables and outputs at every seq", async () => {
  await using engine = await createEngine();
  await engine.define(line);
  const { id } = await engine.run("line", { amount: 5 });
  const events = await engine.events(id);
  const atDouble = events.find(({ type, stepId }) => type === "step.completed" && stepId === "double");
  const state = await engine.executor.stateAt("default", id, atDouble?.seq ?? 0);
  expect(state["variables"]).toEqual({ total: 10, log: ["doubled"] });
  expect(Object.keys(state["steps"] as object)).toEqual(["begin", "double"]);
});

test("conditions skip a step, and it leaves like a successful one", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "skipping",
    name: "Skipping",
    steps: [
      { id: "a", type: "start", nextSteps: ["b"] },
      { id: "b", type: "transform", conditions: ["input.go"], config: { set: { x: 1 } }, nextSteps: ["c"] },
      { id: "c", type: "end" },
    ],
    output: { b: "${ steps.b.output }" },
  });
  expect((await engine.run("skipping", { go: false })).output).toEqual({ b: null });
  expect((await engine.run("skipping", { go: true })).output).toEqual({ b: { x: 1 } });
});

test("condition and switch route by value", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "routing",
    name: "Routing",
    steps: [
      { id: "big", type: "condition", config: { condition: "input.amount > 100.0", truePath: "kind", falsePath: "small" } },
      {
        id: "kind",
        type: "switch",
        config: {
          on: "input.kind",
          cases: [
            { equals: "car", to: "car" },
            { equals: null, to: "none" },
          ],
          default: "other",
        },
      },
      ...["small", "car", "none", "other"].map((id) => ({ id, type: "end" })),
    ],
  });
  const last = async (input: { amount: number; kind: string | null }) => {
    const { id, status } = await engine.run("routing", input);
    expect(status).toBe("COMPLETED");
    return (await engine.executor.steps("default", id)).at(-1)?.stepId;
  };
  expect(await last({ amount: 1, kind: null })).toBe("small");
  expect(await last({ amount: 101, kind: "car" })).toBe("car");
  expect(await last({ amount: 101, kind: null })).toBe("none");
  expect(await last({ amount: 101, kind: "boat" })).toBe("other");
});

test("a cycle ends at its limits with a named error", async () => {
  await using engine = await createEngine();
  const cycle = (limits: object, maxVisits?: number) => ({
    name: "Cycle",
    limits,
    variables: { n: { reducer: "sum" as const, default: 0 } },
    steps: [
      {
        id: "again",
        type: "transform",
        config: { set: {} },
        output: { n: 1 },
        nextSteps: ["again"],
        ...(maxVisits === undefined ? {} : { maxVisits }),
      },
    ],
  });
  // A cycle without an exit is refused by the checker only where no path can end: here the exit is the limit.
  const withExit = (definition: ReturnType<typeof cycle>) => ({
    ...definition,
    steps: [
      { ...definition.steps[0], id: "again", type: "transform", nextSteps: [{ to: "out", when: "vars.n > 1000000.0" }, { to: "again" }] },
      { id: "out", type: "end" },
    ],
  });
  const bySteps = await engine.define({ id: "steps", ...withExit(cycle({ maxSteps: 50 })) });
  const byVisits = await engine.define({ id: "visits", ...withExit(cycle({}, 7)) });
  expect((await engine.run(bySteps)).error).toMatchObject({ code: "MAX_STEPS_EXCEEDED", stepId: "again" });
  const visits = await engine.run(byVisits);
  expect(visits.error).toMatchObject({ code: "MAX_VISITS_EXCEEDED", stepId: "again", visit: 8 });
  expect(visits.variables).toEqual({ n: 7 });
});

test("large outputs travel by reference and are read where an expression needs them", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "large",
    name: "Large",
    variables: { copy: {} },
    steps: [
      {
        id: "make",
        type: "transform",
        config: { set: { text: "${ input.text }" } },
        output: { copy: "${ output.text }" },
        nextSteps: ["wait"],
      },
      { id: "wait", type: "delay", config: { for: "1ms" }, nextSteps: ["use"] },
      { id: "use", type: "transform", config: { set: { size: "${ size(steps.make.output.text) + size(vars.copy) }" } } },
    ],
    output: { size: "${ steps.use.output.size }" },
  });
  const text = "x".repeat(300_000);
  const { id, output, status } = await engine.run("large", { text });
  expect({ status, output }).toEqual({ status: "COMPLETED", output: { size: 600_000 } });
  const made = (await engine.events(id)).find(({ type, stepId }) => type === "step.completed" && stepId === "make");
  expect(made?.data["outputRef"]).toMatch(/^[0-9a-f]{32}$/);
  expect(JSON.stringify(await engine.events(id)).length).toBeLessThan(10_000);
});
