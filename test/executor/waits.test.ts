import { expect, test } from "vitest";
import { createEngine, testInMemory, type Engine } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

const ann = { id: "ann", tenant: "default" };
const approval = (config: object = {}) => ({
  id: "ask",
  name: "Ask",
  steps: [
    { id: "begin", type: "start", nextSteps: ["ask"] },
    {
      id: "ask",
      type: "approval",
      config: { title: "Pay ${ input.amount }?", show: { amount: "${ input.amount }" }, ...config },
      nextSteps: [{ to: "yes" }, { to: "no", on: "rejected" as const }, { to: "late", on: "timeout" as const }],
    },
    { id: "yes", type: "end" },
    { id: "no", type: "end" },
    { id: "late", type: "end" },
  ],
  output: { ask: "${ steps.ask.output }" },
});

async function openWait(engine: Engine, executionId: string) {
  const page = await engine.executor.waits("default", { executionId, status: "open", pageSize: 10 });
  const [wait] = page.items;
  if (!wait) throw new Error("there is no open wait");
  return wait;
}

testInMemory("an approval parks the execution without lease or memory and goes on with the answer", async () => {
  await using engine = await createEngine();
  await engine.define(approval());
  const parked = await engine.run("ask", { amount: 12 });
  expect(parked).toMatchObject({ status: "RUNNING", isParked: true, owner: null, leaseUntil: null, wakeAt: null });
  await engine.worker.idle();
  expect(engine.worker.running).toBe(0);
  const wait = await openWait(engine, parked.id);
  expect(wait).toMatchObject({
    kind: "approval",
    title: "Pay 12?",
    stepId: "ask",
    request: { evidence: { amount: 12 }, choices: ["approve", "reject"] },
  });
  await engine.executor.answer(ann, wait.id, { decision: "approve", reason: "fine" });
  const done = await engine.settled(parked.id);
  expect(done.output).toMatchObject({ ask: { approved: true, decision: "approve", by: "ann", reason: "fine" } });
  expect((await engine.events(parked.id)).map(({ type }) => type)).toEqual([
    "execution.created",
    "execution.claimed",
    "execution.started",
    "step.started",
    "step.completed",
    "step.started",
    "step.waiting",
    "execution.parked",
    "execution.claimed",
    "wait.resolved",
    "step.completed",
    "step.started",
    "step.completed",
    "execution.completed",
  ]);
});

test("a rejected approval leaves by `on: rejected`", async () => {
  await using engine = await createEngine();
  await engine.define(approval());
  const { id } = await engine.run("ask", { amount: 1 });
  await engine.executor.answer(ann, (await openWait(engine, id)).id, { decision: "reject" });
  expect((await engine.settled(id)).status).toBe("COMPLETED");
  expect((await engine.executor.steps("default", id)).map(({ stepId }) => stepId)).toEqual(["begin", "ask", "no"]);
});

test("of many who decide at once the first wins, the others are told", async () => {
  await using engine = await createEngine();
  await engine.define(approval());
  const { id } = await engine.run("ask", { amount: 1 });
  const wait = await openWait(engine, id);
  const answers = await Promise.allSettled(
    Array.from({ length: 50 }, (_, index) =>
      engine.executor.answer({ id: `p${index}`, tenant: "default" }, wait.id, { decision: index % 2 ? "approve" : "reject" }),
    ),
  );
  const winners = answers.filter(({ status }) => status === "fulfilled");
  expect(winners).toHaveLength(1);
  for (const answer of answers) if (answer.status === "rejected") expect(answer.reason).toMatchObject({ code: "ALREADY_DECIDED" });
  const done = await engine.settled(id);
  const record = await engine.executor.wait("default", wait.id);
  expect(done.output).toMatchObject({ ask: { by: record.answer?.principal } });
  await expect(engine.executor.answer(ann, wait.id, { decision: "approve" })).rejects.toMatchObject({ code: "ALREADY_DECIDED" });
});

test("a decision that is no choice, or values that do not fit the form, are refused and the wait stays open", async () => {
  await using engine = await createEngine();
  await engine.define(approval({ form: { type: "object", required: ["limit"], properties: { limit: { type: "number" } } } }));
  const { id } = await engine.run("ask", { amount: 1 });
  const wait = await openWait(engine, id);
  await expect(engine.executor.answer(ann, wait.id, { decision: "maybe" })).rejects.toMatchObject({
    code: "INVALID_INPUT",
    issues: [{ pointer: "/decision" }],
  });
  await expect(engine.executor.answer(ann, wait.id, { decision: "approve", values: { limit: "x" } })).rejects.toMatchObject({
    code: "INVALID_INPUT",
    issues: [{ pointer: "/values/limit" }],
  });
  await engine.executor.answer(ann, wait.id, { decision: "approve", values: { limit: 3 } });
  expect((await engine.settled(id)).output).toMatchObject({ ask: { values: { limit: 3 } } });
});

test("an approval that nobody decides in time leaves by `on: timeout`, and its inbox entry says so", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define(approval({ timeout: "2h" }));
  const { id } = await engine.start("ask", { amount: 1 });
  await expect.poll(async () => (await engine.executor.get("default", id)).isParked).toBe(true);
  const wait = await openWait(engine, id);
  clock.advance(2 * 3_600_000 + 1);
  await expect.poll(async () => (await engine.executor.get("default", id)).status).toBe("COMPLETED");
  expect((await engine.executor.steps("default", id)).at(-1)?.stepId).toBe("late");
  expect((await engine.executor.wait("default", wait.id)).status).toBe("expired");
  await expect(engine.executor.answer(ann, wait.id, { decision: "approve" })).rejects.toMatchObject({ code: "ALREADY_DECIDED" });
});

test("a delay fires once, when its time comes, and not before", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define({
    id: "d",
    name: "D",
    steps: [
      { id: "wait", type: "delay", config: { for: "10m" }, nextSteps: ["end"] },
      { id: "end", type: "end" },
    ],
  });
  const { id } = await engine.start("d");
  await expect.poll(async () => (await engine.executor.get("default", id)).isParked).toBe(true);
  clock.advance(10 * 60_000 - 1);
  await engine.worker.idle();
  expect((await engine.executor.get("default", id)).status).toBe("RUNNING");
  clock.advance(1);
  await expect.poll(async () => (await engine.executor.get("default", id)).status).toBe("COMPLETED");
  expect((await engine.events(id)).filter(({ type }) => type === "wait.resolved")).toHaveLength(1);
});

test("pause holds a parked execution although its timer comes due; resume lets it go on", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define({
    id: "d",
    name: "D",
    steps: [
      { id: "wait", type: "delay", config: { for: "1m" }, nextSteps: ["end"] },
      { id: "end", type: "end" },
    ],
  });
  const { id } = await engine.start("d");
  await expect.poll(async () => (await engine.executor.get("default", id)).isParked).toBe(true);
  expect((await engine.executor.pause(ann, id, "audit")).status).toBe("PAUSED");
  clock.advance(120_000);
  engine.worker.take({ tenant: "default", executionId: id });
  await engine.worker.idle();
  expect((await engine.executor.get("default", id)).status).toBe("PAUSED");
  await engine.executor.resume(ann, id);
  await expect.poll(async () => (await engine.executor.get("default", id)).status).toBe("COMPLETED");
  await expect(engine.executor.resume(ann, id)).rejects.toMatchObject({ code: "CONFLICT" });
});

test("cancel ends a parked execution and withdraws what it asked people", async () => {
  await using engine = await createEngine();
  await engine.define(approval());
  const { id } = await engine.run("ask", { amount: 1 });
  const wait = await openWait(engine, id);
  const cancelled = await engine.executor.cancel(ann, id, "not needed");
  expect(cancelled).toMatchObject({ status: "CANCELLED", waits: [], error: { code: "CANCELLED", message: "not needed" } });
  expect((await engine.executor.wait("default", wait.id)).status).toBe("cancelled");
  await expect(engine.executor.answer(ann, wait.id, { decision: "approve" })).rejects.toMatchObject({ code: "ALREADY_DECIDED" });
  expect((await engine.executor.cancel(ann, id)).status).toBe("CANCELLED");
});

test("cancel reaches an execution that nobody has taken up yet", async () => {
  await using engine = await createEngine({ consume: false });
  await engine.define(approval());
  const { id } = await engine.start("ask", { amount: 1 });
  const cancelled = engine.executor.cancel(ann, id);
  await expect.poll(async () => (await engine.store.inbox.list("default", id)).length).toBe(1);
  engine.worker.take({ tenant: "default", executionId: id });
  expect((await cancelled).status).toBe("CANCELLED");
  expect((await engine.events(id)).map(({ type }) => type)).toEqual(["execution.created", "execution.cancelled"]);
});

test("an execution ends when it runs longer than it may", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define({ ...approval(), limits: { maxDuration: "1h" } });
  const { id } = await engine.start("ask", { amount: 1 });
  await expect.poll(async () => (await engine.executor.get("default", id)).isParked).toBe(true);
  clock.advance(3_600_001);
  await expect.poll(async () => (await engine.executor.get("default", id)).status).toBe("FAILED");
  expect((await engine.executor.get("default", id)).error?.code).toBe("MAX_DURATION_EXCEEDED");
});
