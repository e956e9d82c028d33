import { expect, test } from "vitest";
import type { JsonObject } from "../../src/definition/json.ts";
import type { NextStep } from "../../src/definition/step.ts";
import type { OpenWait } from "../../src/definition/wait.ts";
import { taskView } from "../../src/executor/task-view.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

const ann = { id: "ann", tenant: "default" };
const worker = { id: "worker-key", tenant: "default" };

function printing(
  config: JsonObject = {},
  { nextSteps = ["done"], ...step }: { nextSteps?: (string | NextStep)[]; retry?: never } & JsonObject = {},
) {
  const ends = nextSteps.map((next) => ({ id: typeof next === "string" ? next : next.to, type: "end" }));
  const task = { id: "print", type: "task", config: { queue: "labels", payload: "${ input }", ...config }, nextSteps, ...step };
  return { id: "printing", name: "Printing", steps: [task, ...ends], output: { label: "${ steps.print.output }" } };
}

async function parked(engine: Engine, input: JsonObject = {}): Promise<string> {
  const { id } = await engine.start("printing", input);
  await expect.poll(async () => (await engine.executor.get("default", id)).isParked).toBe(true);
  return id;
}

const poll = (engine: Engine, more: { max?: number; worker?: string; waitMs?: number } = {}) =>
  engine.executor.tasks.poll(worker, { queue: "labels", worker: "w1", max: 1, waitMs: 0, ...more });

/** The only task there is to be had. */
async function taken(engine: Engine, by = "w1"): Promise<OpenWait & { token: number }> {
  const [task, ...others] = await poll(engine, { worker: by, max: 10 });
  if (!task || others.length > 0) throw new Error(`${others.length + (task ? 1 : 0)} tasks instead of one`);
  return { ...task, token: task.lease?.token ?? 0 };
}

async function ended(engine: Engine, id: string): Promise<void> {
  await expect.poll(async () => (await engine.executor.get("default", id)).endedAt).not.toBeNull();
}

test("a worker takes the task, and what it gives is the step's output", async () => {
  await using engine = await createEngine();
  await engine.define(printing());
  const id = await parked(engine, { name: "Ada" });
  const task = await taken(engine);
  expect(taskView(task, Date.now())).toMatchObject({
    queue: "labels",
    title: "print",
    status: "LEASED",
    payload: { name: "Ada" },
    executionId: id,
    idempotencyKey: `${id}/print/1`,
    attempt: 1,
    token: 1,
    worker: "w1",
  });
  expect(await poll(engine)).toEqual([]);
  await engine.executor.tasks.complete(worker, task.id, task.token, { text: "To Ada" });
  await ended(engine, id);
  expect((await engine.executor.get("default", id)).output).toEqual({ label: { text: "To Ada" } });
  await engine.executor.tasks.complete(worker, task.id, task.token, "said again");
  expect((await engine.executor.get("default", id)).output).toEqual({ label: { text: "To Ada" } });
});

test("of many who poll at once each task goes to one", async () => {
  await using engine = await createEngine();
  await engine.define(printing());
  for (let n = 0; n < 5; n += 1) await parked(engine);
  const all = await Promise.all(Array.from({ length: 20 }, (_, n) => poll(engine, { worker: `w${n}`, max: 2 })));
  const ids = all.flat().map((task) => task.id);
  expect(ids).toHaveLength(5);
  expect(new Set(ids).size).toBe(5);
});

test("a poll waits for a task that comes later, and goes home without one", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define(printing());
  const none = poll(engine, { waitMs: 5_000 });
  const waiting = poll(engine, { waitMs: 60_000 });
  const until = async <T>(promise: Promise<T>): Promise<T> => {
    let isOver = false;
    void promise.finally(() => (isOver = true));
    while (!isOver) {
      clock.advance(200);
      await new Promise((resolve) => setImmediate(resolve));
    }
    return promise;
  };
  expect(await until(none)).toEqual([]);
  await engine.start("printing");
  expect(await until(waiting)).toHaveLength(1);
});

test("a worker that falls silent loses the task to another, under the same key, and its result is refused", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define(printing({ heartbeatTimeout: "30s" }));
  const id = await parked(engine);
  const first = await taken(engine, "w1");
  clock.advance(29_000);
  await engine.executor.tasks.heartbeat(worker, first.id, first.token);
  clock.advance(29_000);
  expect(await poll(engine)).toEqual([]);
  clock.advance(2_000);
  const second = await taken(engine, "w2");
  expect(second).toMatchObject({ id: first.id, token: 2, request: first.request });
  for (const stale of [
    engine.executor.tasks.heartbeat(worker, first.id, first.token),
    engine.executor.tasks.complete(worker, first.id, first.token, 1),
    engine.executor.tasks.fail(worker, first.id, first.token, { code: "X", message: "", retryable: false, retryAfterMs: 0 }),
  ])
    await expect(stale).rejects.toMatchObject({ code: "TASK_LEASE_LOST" });
  await engine.executor.tasks.complete(worker, second.id, second.token, 2);
  await ended(engine, id);
  expect((await engine.executor.get("default", id)).output).toEqual({ label: 2 });
  await expect(engine.executor.tasks.complete(worker, first.id, first.token, 1)).rejects.toMatchObject({ code: "TASK_LEASE_LOST" });
});

test("a task given back is handed out again after `retryAfter`, and the last failure is the step's error", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define(printing({ maxAttempts: 2 }));
  const id = await parked(engine);
  const failure = { code: "NO_PAPER", message: "The printer is out of paper.", retryable: true, retryAfterMs: 10_000 };
  const first = await taken(engine);
  await engine.executor.tasks.fail(worker, first.id, first.token, failure);
  expect(await poll(engine)).toEqual([]);
  clock.advance(10_000);
  const second = await taken(engine);
  await engine.executor.tasks.fail(worker, second.id, second.token, failure);
  await ended(engine, id);
  const { error } = await engine.executor.get("default", id);
  expect(error).toMatchObject({ code: "TASK_FAILED", message: "The printer is out of paper.", stepId: "print" });
  const failed = (await engine.events(id)).find(({ type }) => type === "step.failed");
  expect(failed?.data["details"]).toEqual({ code: "NO_PAPER", worker: "w1", attempts: 2 });
});

test("a task whose every worker fell silent fails when its queue is polled", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define(printing({ maxAttempts: 1 }));
  const id = await parked(engine);
  await taken(engine);
  clock.advance(61_000);
  expect(await poll(engine)).toEqual([]);
  await ended(engine, id);
  expect((await engine.executor.get("default", id)).error?.code).toBe("TASK_FAILED");
});

test("a task that cannot be done is TASK_REJECTED at once, which no retry repeats", async () => {
  await using engine = await createEngine();
  await engine.define(printing({}, { retry: { maxAttempts: 5, delay: "1ms" } as never }));
  const id = await parked(engine);
  const task = await taken(engine);
  await engine.executor.tasks.fail(worker, task.id, task.token, { code: "NO_ADDRESS", message: "No.", retryable: false, retryAfterMs: 0 });
  await ended(engine, id);
  expect((await engine.executor.get("default", id)).error).toMatchObject({ code: "TASK_REJECTED", retryable: false });
});

test("`retry` of the step offers the task anew, under the same key", async () => {
  await using engine = await createEngine();
  await engine.define(printing({ maxAttempts: 1 }, { retry: { maxAttempts: 2, delay: "1ms" } as never }));
  const id = await parked(engine);
  const first = await taken(engine);
  await engine.executor.tasks.fail(worker, first.id, first.token, { code: "X", message: "", retryable: true, retryAfterMs: 0 });
  let second: OpenWait | undefined;
  await expect.poll(async () => ([second] = await poll(engine))).toHaveLength(1);
  expect(second?.id).not.toBe(first.id);
  expect(second?.request["idempotencyKey"]).toBe(first.request["idempotencyKey"]);
  await engine.executor.tasks.complete(worker, second?.id ?? "", 1, 7);
  await ended(engine, id);
});

test("nobody is given a task before `runAt`, nor one of another queue or tenant", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define(printing({ runAt: new Date(clock.now() + 60_000).toISOString() }));
  await parked(engine);
  expect(await poll(engine)).toEqual([]);
  clock.advance(60_000);
  expect(await engine.executor.tasks.poll({ ...worker, tenant: "other" }, { queue: "labels", worker: "w", max: 1, waitMs: 0 })).toEqual([]);
  expect(await engine.executor.tasks.poll(worker, { queue: "mails", worker: "w", max: 1, waitMs: 0 })).toEqual([]);
  const task = await taken(engine);
  await expect(engine.executor.tasks.heartbeat({ ...worker, tenant: "other" }, task.id, 1)).rejects.toMatchObject({ code: "NOT_FOUND" });
});

test("whoever cancels the execution withdraws the task: its worker hears of it, nobody else gets it", async () => {
  await using engine = await createEngine();
  await engine.define(printing());
  const id = await parked(engine);
  const task = await taken(engine);
  await engine.executor.cancel(ann, id);
  const refused = { code: "TASK_WITHDRAWN", details: { status: "CANCELLED" } };
  await expect(engine.executor.tasks.heartbeat(worker, task.id, task.token)).rejects.toMatchObject(refused);
  await expect(engine.executor.tasks.complete(worker, task.id, task.token, 1)).rejects.toMatchObject(refused);
  expect(await poll(engine)).toEqual([]);
});

test("a task out of time leaves by `on: timeout`, and a late result is refused", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define(printing({ timeout: "1m", heartbeatTimeout: "1h" }, { nextSteps: ["done", { to: "late", on: "timeout" as const }] }));
  const id = await parked(engine);
  const task = await taken(engine);
  clock.advance(60_000);
  await ended(engine, id);
  expect((await engine.executor.steps("default", id)).at(-1)?.stepId).toBe("late");
  await expect(engine.executor.tasks.complete(worker, task.id, task.token, 1)).rejects.toMatchObject({ code: "TASK_WITHDRAWN" });
});

test("the completion event completes the task, whoever has it", async () => {
  await using engine = await createEngine();
  await engine.define(printing({ completionEvent: "printed" }));
  const id = await parked(engine);
  const task = await taken(engine);
  await engine.executor.signal(ann, id, { event: "printed", data: { text: "done" } });
  await ended(engine, id);
  expect((await engine.executor.get("default", id)).output).toEqual({ label: { text: "done" } });
  await expect(engine.executor.tasks.heartbeat(worker, task.id, task.token)).rejects.toMatchObject({ code: "TASK_WITHDRAWN" });
});
