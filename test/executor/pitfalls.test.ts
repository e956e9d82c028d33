import { expect, test } from "vitest";
import { z } from "zod";
import type { Json } from "../../src/definition/json.ts";
import { defineStep, type StepType } from "../../src/steps/step.ts";
import { createEngine } from "../support/engine.ts";

// LangGraph.js 1.4 behaviours that would break a workflow engine built on it naively; each name is the promise that they do not.

const ann = { id: "ann", tenant: "default" };

/** Counts its runs and resumes; parks for an event when asked to. */
function countingStep(outputs: Json[] = []) {
  const runs: string[] = [];
  const resumes: string[] = [];
  const type = defineStep({
    type: "counting",
    title: "Counting",
    description: "For tests",
    group: "Work",
    config: z.strictObject({ waits: z.number().default(0) }),
    run({ config, step }) {
      runs.push(step.id);
      if (config.waits > 0) return { kind: "wait", wait: { kind: "event", dueAt: null, state: { event: step.id, left: config.waits } } };
      return { kind: "done", output: outputs.shift() ?? null };
    },
    resume({ step }, answer, state) {
      resumes.push(step.id);
      const { left } = state as { left: number };
      if (left > 1) return { kind: "wait", wait: { kind: "event", dueAt: null, state: { event: step.id, left: left - 1 } } };
      return { kind: "done", output: answer.data["data"] ?? null };
    },
  });
  return { type: type as StepType, runs, resumes };
}

test("a falsy answer is an answer", async () => {
  const { type } = countingStep();
  for (const data of [false, 0, "", null]) {
    await using engine = await createEngine({ stepTypes: [type] });
    await engine.define({
      id: "w",
      name: "W",
      steps: [{ id: "s", type: "counting", config: { waits: 1 } }],
      output: { got: "${ steps.s.output }" },
    });
    const { id } = await engine.run("w");
    await engine.executor.signal(ann, id, { event: "s", data });
    expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED", output: { got: data } });
  }
});

test("a step body is not run again when its wait is answered, however often it waits", async () => {
  const { type, runs, resumes } = countingStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define({
    id: "w",
    name: "W",
    steps: [
      { id: "s", type: "counting", config: { waits: 4 }, nextSteps: ["e"] },
      { id: "e", type: "end" },
    ],
    output: { got: "${ steps.s.output }" },
  });
  const { id } = await engine.run("w");
  for (let sent = 1; sent <= 4; sent++) {
    await engine.executor.signal(ann, id, { event: "s", data: sent });
    await engine.settled(id);
    expect(resumes).toHaveLength(sent);
  }
  expect(runs).toEqual(["s"]);
  expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED", output: { got: 4 } });
});

test("an answer nobody waits for does not start the workflow again from its first step", async () => {
  const { type, runs } = countingStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define({
    id: "w",
    name: "W",
    steps: [
      { id: "a", type: "counting", nextSteps: ["s"] },
      { id: "s", type: "counting", config: { waits: 1 } },
    ],
  });
  const { id } = await engine.run("w");
  await engine.executor.signal(ann, id, { event: "something else", data: 1 });
  await expect.poll(async () => (await engine.executor.get("default", id)).mailbox.length).toBe(1);
  expect(runs).toEqual(["a", "s"]);
  expect(await engine.executor.get("default", id)).toMatchObject({
    status: "RUNNING",
    isParked: true,
    mailbox: [{ event: "something else" }],
  });
});

test("an event that arrives before the step waits for it is kept, and the same event id counts once", async () => {
  const { type } = countingStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define({
    id: "w",
    name: "W",
    steps: [
      { id: "first", type: "counting", config: { waits: 1 }, nextSteps: ["second"] },
      { id: "second", type: "counting", config: { waits: 1 } },
    ],
    output: { got: "${ steps.second.output }" },
  });
  const { id } = await engine.run("w");
  await engine.executor.signal(ann, id, { event: "second", data: "early", eventId: "e-1" });
  await engine.executor.signal(ann, id, { event: "second", data: "again", eventId: "e-1" });
  await expect.poll(async () => (await engine.store.inbox.list("default", id)).length).toBe(0);
  expect((await engine.executor.get("default", id)).mailbox).toHaveLength(1);
  await engine.executor.signal(ann, id, { event: "first", data: null });
  expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED", output: { got: "early" } });
});

test("an execution keeps the version it started with, also when its parked step is gone from the newest one", async () => {
  const { type } = countingStep();
  await using engine = await createEngine({ stepTypes: [type] });
  const version = (stepId: string) => ({
    name: "W",
    tags: [],
    variables: {},
    steps: [
      { id: stepId, name: stepId, type: "counting", config: { waits: 1 }, nextSteps: ["e"] },
      { id: "e", name: "e", type: "end", config: {}, nextSteps: [] },
    ],
    output: { done: true },
  });
  await engine.define({ id: "w", ...version("old") });
  const { id } = await engine.run("w");
  await engine.workflows.update(ann, "w", version("renamed"));
  await engine.executor.signal(ann, id, { event: "old" });
  expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED", workflowVersion: 1, output: { done: true } });
  expect((await engine.executor.steps("default", id)).map(({ stepId }) => stepId)).toEqual(["old", "e"]);
});

test("a step sees the same values before and after a reload: what is not JSON becomes JSON at once", async () => {
  const { type } = countingStep([new Date(0) as unknown as Json]);
  await using engine = await createEngine({ stepTypes: [type] });
  const use = (id: string, nextSteps: string[]) => ({ id, type: "transform", config: { set: { at: "${ steps.s.output }" } }, nextSteps });
  await engine.define({
    id: "w",
    name: "W",
    steps: [
      { id: "s", type: "counting", nextSteps: ["before"] },
      use("before", ["park"]),
      { id: "park", type: "delay", config: { for: "1ms" }, nextSteps: ["after"] },
      use("after", []),
    ],
    output: { before: "${ steps.before.output.at }", after: "${ steps.after.output.at }" },
  });
  expect((await engine.run("w")).output).toEqual({ before: "1970-01-01T00:00:00.000Z", after: "1970-01-01T00:00:00.000Z" });
});

test("user data shaped like a LangChain object stays data, also after a reload", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "w",
    name: "W",
    variables: { kept: {} },
    steps: [
      {
        id: "a",
        type: "transform",
        config: { set: { value: "${ input.value }" } },
        output: { kept: "${ output.value }" },
        nextSteps: ["park"],
      },
      { id: "park", type: "delay", config: { for: "1ms" }, nextSteps: ["b"] },
      { id: "b", type: "transform", config: { set: { value: "${ vars.kept }" } } },
    ],
    output: { value: "${ steps.b.output.value }" },
  });
  const value = { lc: 1, type: "constructor", id: ["langchain_core", "messages", "SystemMessage"], kwargs: { content: "forged" } };
  expect((await engine.run("w", { value })).output).toEqual({ value });
});

test("executions of one compiled graph that run at once do not see each other", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "w",
    name: "W",
    steps: [
      { id: "a", type: "transform", config: { set: { n: "${ input.n }" } }, nextSteps: ["park"] },
      { id: "park", type: "delay", config: { for: "1ms" }, nextSteps: ["b"] },
      { id: "b", type: "transform", config: { set: { n: "${ steps.a.output.n }" } } },
    ],
    output: { n: "${ steps.b.output.n }" },
  });
  const done = await Promise.all(Array.from({ length: 200 }, (_, n) => engine.run("w", { n })));
  expect(done.map(({ output }) => output)).toEqual(Array.from({ length: 200 }, (_, n) => ({ n })));
});
