import { expect, test } from "vitest";
import type { Execution } from "../../src/definition/execution.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import type { NextStep } from "../../src/definition/step.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

const ann = { id: "ann", tenant: "default" };

/** A parent whose step `call` runs a child. */
function parent(
  config: JsonObject,
  { nextSteps = ["done"], ...step }: { nextSteps?: (string | NextStep)[]; [field: string]: unknown } = {},
) {
  const ends = nextSteps.map((next) => ({ id: typeof next === "string" ? next : next.to, type: "end" }));
  return {
    id: "parent",
    name: "Parent",
    steps: [{ id: "call", type: "workflow", config: { workflowId: "child", ...config }, nextSteps, ...step }, ...ends],
    output: { call: "${ steps.call.output }" },
  };
}
const END = [{ id: "end", type: "end" }];
const doubling = {
  id: "child",
  name: "Child",
  input: { type: "object", required: ["n"], properties: { n: { type: "number" } } },
  steps: [{ id: "double", type: "transform", config: { set: { n: "${ input.n * 2 }" } } }],
  output: { n: "${ steps.double.output.n }" },
};
const asking = { id: "child", name: "Child", steps: [{ id: "ask", type: "approval", config: { title: "?" } }], output: { said: "${ 1 }" } };
const failing = (error: JsonObject = { outcome: "failed", message: "No." }) => ({
  id: "child",
  name: "Child",
  steps: [{ id: "end", type: "end", config: error }],
});

async function childrenOf(engine: Engine, { id }: Pick<Execution, "id">): Promise<Execution[]> {
  return (await engine.executor.list("default", { parentId: id, pageSize: 50 })).items;
}

/** The parent's child, once it waits for a person. */
async function askingChild(engine: Engine, execution: Pick<Execution, "id">): Promise<Execution> {
  await expect.poll(async () => (await childrenOf(engine, execution)).map(({ isParked }) => isParked)).toEqual([true]);
  await expect.poll(async () => (await engine.executor.get("default", execution.id)).isParked).toBe(true);
  const [child] = await childrenOf(engine, execution);
  if (!child) throw new Error("there is no child");
  return child;
}

async function answer(engine: Engine, { id }: Pick<Execution, "id">, decision = "approve"): Promise<void> {
  const [wait] = (await engine.executor.waits("default", { executionId: id, status: "open", pageSize: 1 })).items;
  await engine.executor.answer(ann, wait?.id ?? "", { decision });
}

const statusOf = async (engine: Engine, id: string) => (await engine.executor.get("default", id)).status;

test("a child is an execution of its own, and its output is the step's result", async () => {
  await using engine = await createEngine();
  await engine.define(doubling);
  await engine.define(parent({ input: { n: "${ input.n + 1 }" }, tags: ["nightly"] }));
  const ended = await engine.run("parent", { n: 20 }, { priority: 7 });
  const [child] = await childrenOf(engine, ended);
  expect(ended).toMatchObject({
    status: "COMPLETED",
    output: { call: { executionId: child?.id, status: "COMPLETED", output: { n: 42 } } },
  });
  expect(child).toMatchObject({
    workflowId: "child",
    input: { n: 21 },
    tags: ["nightly"],
    priority: 7,
    startedBy: "local",
    trigger: { type: "workflow", id: "call" },
    parent: { executionId: ended.id, stepId: "call", waitId: child?.id, depth: 1 },
  });
});

test("a child without an input of its own gets the step's", async () => {
  await using engine = await createEngine();
  await engine.define(doubling);
  await engine.define(parent({}, { input: { n: "${ input.n }" } }));
  expect((await engine.run("parent", { n: 4 })).output).toMatchObject({ call: { output: { n: 8 } } });
});

test("a version may be named, and the newest is taken unless told", async () => {
  await using engine = await createEngine();
  await engine.define(doubling);
  await engine.workflows.update(ann, "child", { ...doubling, output: { n: "${ 0 }" } } as never);
  await engine.define(parent({ input: { n: 1 }, version: "${ input.version }" }));
  await engine.define({ ...parent({ input: { n: 1 } }), id: "newest" });
  expect((await engine.run("parent", { version: 1 })).output).toMatchObject({ call: { output: { n: 2 } } });
  expect((await engine.run("newest")).output).toMatchObject({ call: { output: { n: 0 } } });
});

test("an output too large for the message about the end comes whole", async () => {
  await using engine = await createEngine();
  const large = "x".repeat(100_000);
  await engine.define({ id: "child", name: "Child", steps: END, output: { text: "${ input.text }" } });
  await engine.define({ ...parent({ input: { text: "${ input.text }" } }), output: { size: "${ steps.call.output.output.text.size() }" } });
  expect((await engine.run("parent", { text: large })).output).toEqual({ size: 100_000 });
});

test("a detached child lets the step go on at once, and is left to itself when its parent is cancelled", async () => {
  await using engine = await createEngine();
  await engine.define(asking);
  const waiting = { id: "done", type: "approval", config: { title: "Parent?" } };
  await engine.define({ ...parent({ wait: false }), steps: [...parent({ wait: false }).steps.slice(0, 1), waiting] });
  const { id } = await engine.run("parent");
  const child = await askingChild(engine, { id });
  expect(child.parent).toMatchObject({ executionId: id, waitId: null });
  expect((await engine.executor.steps("default", id))[0]).toMatchObject({ status: "COMPLETED", output: { executionId: child.id } });
  await engine.executor.cancel(ann, id);
  await engine.worker.idle();
  expect(await statusOf(engine, child.id)).toBe("RUNNING");
});

test("a failed child is CHILD_FAILED with the child's own error, and leaves by `on: error`", async () => {
  await using engine = await createEngine();
  await engine.define(failing());
  const broken = { to: "broken", on: "error" as const, when: "error.details.code == 'STEP_FAILED'" };
  await engine.define(parent({}, { nextSteps: ["done", broken] }));
  const ended = await engine.run("parent");
  const [child] = await childrenOf(engine, ended);
  const failed = (await engine.events(ended.id)).find(({ type }) => type === "step.failed");
  expect(failed?.data).toMatchObject({ code: "CHILD_FAILED", next: "broken" });
  expect(child?.status).toBe("FAILED");
});

test("a failed child fails its parent where nobody takes care, and a retry by hand starts another one", async () => {
  await using engine = await createEngine();
  await engine.define(failing());
  await engine.define(parent({ input: {} }));
  const failed = await engine.run("parent");
  expect(failed).toMatchObject({ status: "FAILED", error: { code: "CHILD_FAILED", stepId: "call", retryable: true } });
  await engine.workflows.update(ann, "child", { name: "Child", steps: END, output: { n: "${ 2 }" } } as never);
  await engine.executor.retry(ann, failed.id);
  expect(await engine.settled(failed.id)).toMatchObject({ status: "COMPLETED", output: { call: { output: { n: 2 } } } });
  expect((await childrenOf(engine, failed)).map(({ status }) => status).toSorted()).toEqual(["COMPLETED", "FAILED"]);
});

test("`retry` starts as many further children as it says, each an execution of its own", async () => {
  await using engine = await createEngine();
  await engine.define(failing());
  await engine.define(parent({}, { retry: { maxAttempts: 3, delay: "1ms" } }));
  const failed = await engine.run("parent");
  expect(failed.error?.code).toBe("CHILD_FAILED");
  expect((await childrenOf(engine, failed)).map(({ status }) => status)).toEqual(["FAILED", "FAILED", "FAILED"]);
});

test("`retryOn` looks at the child's code, too, and a child is not started again where it says so", async () => {
  await using engine = await createEngine();
  await engine.define(failing());
  await engine.define(parent({}, { retry: { maxAttempts: 3, delay: "1ms", doNotRetryOn: ["STEP_FAILED"] } }));
  expect(await childrenOf(engine, await engine.run("parent"))).toHaveLength(1);
});

test("a cancelled child is CHILD_CANCELLED, which no retry repeats", async () => {
  await using engine = await createEngine();
  await engine.define(asking);
  await engine.define(parent({}, { retry: { maxAttempts: 3, delay: "1ms" } }));
  const { id } = await engine.start("parent");
  const child = await askingChild(engine, { id });
  await engine.executor.cancel(ann, child.id, "not wanted");
  await expect.poll(() => statusOf(engine, id)).toBe("FAILED");
  expect((await engine.executor.get("default", id)).error).toMatchObject({ code: "CHILD_CANCELLED", retryable: false });
  expect(await childrenOf(engine, { id })).toHaveLength(1);
});

test("whoever cancels the parent cancels the child, its child's child, and what they wait for", async () => {
  await using engine = await createEngine();
  await engine.define({ ...asking, id: "grandchild" });
  await engine.define({ ...parent({ workflowId: "grandchild" }), id: "child" });
  await engine.define(parent({}));
  const { id } = await engine.start("parent");
  await expect.poll(async () => (await childrenOf(engine, { id })).length).toBe(1);
  const [child] = await childrenOf(engine, { id });
  const grandchild = await askingChild(engine, { id: child?.id ?? "" });
  expect(grandchild.parent?.depth).toBe(2);
  await engine.executor.cancel(ann, id);
  await expect.poll(() => statusOf(engine, grandchild.id)).toBe("CANCELLED");
  expect(await statusOf(engine, child?.id ?? "")).toBe("CANCELLED");
  const { items } = await engine.executor.waits("default", { executionId: grandchild.id, pageSize: 5 });
  expect(items.map(({ status }) => status)).toEqual(["cancelled"]);
});

test("`onParentCancel: abandon` leaves the child to itself, and its end troubles nobody", async () => {
  await using engine = await createEngine();
  await engine.define(asking);
  await engine.define(parent({ onParentCancel: "abandon" }));
  const { id } = await engine.start("parent");
  const child = await askingChild(engine, { id });
  await engine.executor.cancel(ann, id);
  await answer(engine, child);
  await expect.poll(() => statusOf(engine, child.id)).toBe("COMPLETED");
  await engine.worker.idle();
  await expect.poll(() => engine.store.inbox.list("default", id)).toEqual([]);
  expect(await statusOf(engine, id)).toBe("CANCELLED");
});

test("a child that takes too long leaves its step by `on: timeout` and is cancelled", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define(asking);
  await engine.define(parent({ timeout: "1h" }, { nextSteps: ["done", { to: "late", on: "timeout" as const }] }));
  const { id } = await engine.start("parent");
  const child = await askingChild(engine, { id });
  clock.advance(3_600_000);
  await expect.poll(() => statusOf(engine, id)).toBe("COMPLETED");
  expect((await engine.executor.steps("default", id)).at(-1)?.stepId).toBe("late");
  await expect.poll(() => statusOf(engine, child.id)).toBe("CANCELLED");
});

test("a child of a branch that is not needed any more is cancelled", async () => {
  await using engine = await createEngine();
  await engine.define(asking);
  const branches = ["fast", "slow"].map((name) => ({ name, start: name }));
  await engine.define({
    id: "parent",
    name: "Parent",
    steps: [
      { id: "race", type: "parallel", config: { branches, join: "done", waitFor: "any" } },
      { id: "fast", type: "approval", config: { title: "Which?" }, nextSteps: ["done"] },
      { id: "slow", type: "workflow", config: { workflowId: "child" }, nextSteps: ["done"] },
      { id: "done", type: "end" },
    ],
  });
  const { id } = await engine.start("parent");
  const child = await askingChild(engine, { id });
  await answer(engine, { id });
  await expect.poll(() => statusOf(engine, id)).toBe("COMPLETED");
  await expect.poll(() => statusOf(engine, child.id)).toBe("CANCELLED");
});

test("the end of a child that comes while the parent is paused is there when it goes on", async () => {
  await using engine = await createEngine();
  await engine.define(asking);
  await engine.define(parent({}));
  const { id } = await engine.start("parent");
  const child = await askingChild(engine, { id });
  await engine.executor.pause(ann, id);
  await answer(engine, child);
  await expect.poll(() => statusOf(engine, child.id)).toBe("COMPLETED");
  await engine.worker.idle();
  expect(await statusOf(engine, id)).toBe("PAUSED");
  await engine.executor.resume(ann, id);
  await expect.poll(() => statusOf(engine, id)).toBe("COMPLETED");
});

test("the end of a child that comes while the parent has failed is there when it is retried", async () => {
  await using engine = await createEngine();
  await engine.define(asking);
  const branches = ["ask", "fail"].map((name) => ({ name, start: name }));
  await engine.define({
    id: "parent",
    name: "Parent",
    steps: [
      { id: "both", type: "parallel", config: { branches, join: "done" } },
      { id: "ask", type: "workflow", config: { workflowId: "child" }, nextSteps: ["done"] },
      { id: "fail", type: "wait_event", config: { event: "go" }, nextSteps: ["never"] },
      { id: "never", type: "workflow", config: { workflowId: "missing" }, nextSteps: ["done"] },
      { id: "done", type: "end" },
    ],
  });
  const { id } = await engine.start("parent");
  const child = await askingChild(engine, { id });
  await engine.executor.signal(ann, id, { event: "go" });
  await expect.poll(() => statusOf(engine, id)).toBe("FAILED");
  expect((await engine.executor.get("default", id)).error).toMatchObject({ code: "NOT_FOUND", stepId: "never" });
  await answer(engine, child);
  await expect.poll(() => statusOf(engine, child.id)).toBe("COMPLETED");
  await engine.executor.retry(ann, id, { mode: "skip" });
  await expect.poll(() => statusOf(engine, id)).toBe("COMPLETED");
  expect(await childrenOf(engine, { id })).toHaveLength(1);
});

test("an input that does not fit the child's schema names the place in it", async () => {
  await using engine = await createEngine();
  await engine.define(doubling);
  await engine.define(parent({ input: { n: "many" } }));
  expect((await engine.run("parent")).error).toMatchObject({ code: "INVALID_INPUT", path: "/input/n" });
});

test("a workflow that starts itself for ever ends with CHILD_DEPTH_EXCEEDED 16 executions down", async () => {
  await using engine = await createEngine();
  await engine.define({ ...parent({ workflowId: "parent" }), output: {} });
  const ended = await engine.run("parent");
  expect(ended).toMatchObject({ status: "FAILED", error: { code: "CHILD_FAILED" } });
  const all = (await engine.executor.list("default", { pageSize: 50 })).items;
  expect(all).toHaveLength(17);
  const deepest = all.find(({ parent: link }) => link?.depth === 16);
  expect(deepest?.error).toMatchObject({ code: "CHILD_DEPTH_EXCEEDED" });
});

test("what only makes sense for a child that is waited for is refused for one that is not", async () => {
  await using engine = await createEngine();
  const { issues } = engine.workflows.validate(parent({ wait: false, timeout: "1h", onParentCancel: "cancel", why: 1 }));
  expect(issues.map(({ pointer }) => pointer).toSorted()).toEqual(["/steps/0/config/why"]);
  const refused = engine.workflows.validate(parent({ wait: false, timeout: "1h", onParentCancel: "cancel" })).issues;
  expect(refused.map(({ pointer }) => pointer).toSorted()).toEqual(["/steps/0/config/onParentCancel", "/steps/0/config/timeout"]);
});
