import { getConfig } from "@langchain/langgraph";
import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import { expect, test, vi } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import type { ExecutionHandle, Store } from "../../src/ports/store.ts";
import { claimOn } from "../contract/store/fixtures.ts";
import { z } from "zod";
import { defineStep, type StepType } from "../../src/steps/step.ts";
import { createEngine, testInMemory } from "../support/engine.ts";
import { gatedStep, twoSteps } from "../support/gated-step.ts";
import { manualClock, type ManualClock } from "../support/manual-clock.ts";

testInMemory("a worker that lost its lease changes nothing, and the next one repeats only the step in flight, with its key", async () => {
  const { type, calls, gate } = gatedStep();
  const clock = manualClock();
  await using engine = await createEngine({ stepTypes: [type], clock, leaseMs: 10_000 });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  (await gate(0)).open(1);
  const stale = await gate(1);
  // Others hear of a begun attempt 25 ms later at the latest.
  clock.advance(30);
  await expect.poll(async () => Object.keys((await engine.executor.get("default", id)).inFlight)).toEqual(["b"]);
  // The first worker stops beating: as a stopped process does, time goes on without its timers.
  const second = engine.addWorker("worker-2");
  const held = (await engine.executor.get("default", id)).leaseUntil ?? 0;
  const later = { ...clock, now: () => held + 1 };
  expect(later.now()).toBeGreaterThan(clock.now());
  Object.assign(clock, { now: later.now });
  second.take({ tenant: "default", executionId: id });
  const fresh = await gate(2);
  stale.open("from the stale worker");
  fresh.open(2);
  await second.idle();
  await engine.worker.idle();
  const done = await engine.executor.get("default", id);
  expect(done).toMatchObject({ status: "COMPLETED", output: { a: 1, b: 2 }, epoch: 2 });
  expect(calls.map(({ step }) => step)).toEqual(["a", "b", "b"]);
  expect(calls[1]?.key).toBe(calls[2]?.key);
  expect(calls.map(({ attempt }) => attempt)).toEqual([1, 1, 2]);
  const events = await engine.events(id);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1));
  expect(events.filter(({ type: kind }) => kind === "step.completed").map(({ stepId }) => stepId)).toEqual(["a", "b"]);
});

testInMemory("a graph that outlives its session in this process writes nothing into the next session of the same execution", async () => {
  const { type, calls, gate } = gatedStep();
  /** What LangGraph does for each run of a step once it is done, late. */
  const late: (() => Promise<void>)[] = [];
  const watched: StepType = {
    ...type,
    run: (context) => {
      const { configurable = {} } = getConfig();
      const saver = configurable["__pregel_checkpointer"] as BaseCheckpointSaver; // LangGraph's name for it
      late.push(() => saver.putWrites({ configurable: { ...configurable, checkpoint_id: "1" } }, [["late", 1]], "a task of then"));
      return type.run(context);
    },
  };
  const clock = manualClock();
  await using engine = await createEngine({ stepTypes: [watched], clock, leaseMs: 10_000, consume: false });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  const hint = { tenant: "default", executionId: id };
  engine.worker.take(hint);
  const stale = await gate(0);
  // Another process takes it over and dies; the first one learns of it with its next heartbeat and ends its session.
  const handle = await engine.store.executions.get("default", id);
  const other = await engine.store.executions.commit(claimOn(handle as ExecutionHandle, "another process", clock.now()));
  clock.advance(4_000);
  await engine.worker.idle();
  clock.advance((other.execution.leaseUntil ?? 0) - clock.now() + 1);
  engine.worker.take(hint);
  const fresh = await gate(1);
  stale.open("stale");
  await expect(late[0]?.()).rejects.toThrow(expect.objectContaining({ code: "LEASE_LOST" }) as Error);
  fresh.open("fresh");
  (await gate(2)).open("b");
  await engine.worker.idle();
  expect(await engine.executor.get("default", id)).toMatchObject({ status: "COMPLETED", output: { a: "fresh", b: "b" } });
  expect(calls.map(({ step }) => step)).toEqual(["a", "a", "b"]);
  const completed = (await engine.events(id)).filter(({ type: kind }) => kind === "step.completed");
  expect(completed.map(({ stepId }) => stepId)).toEqual(["a", "b"]);
});

testInMemory("an execution that is woken inside a step of another one keeps its own checkpoints", async () => {
  const { type, gate } = gatedStep();
  let wake = (): void => {};
  const waker = defineStep({
    type: "waker",
    title: "Waker",
    description: "For tests",
    group: "Work",
    config: z.record(z.string(), z.unknown()),
    run: () => {
      wake();
      return Promise.resolve({ kind: "done", output: null });
    },
  });
  await using engine = await createEngine({ stepTypes: [type, waker], consume: false });
  await engine.define(twoSteps);
  await engine.define({ id: "waking", name: "Waking", steps: [{ id: "w", type: "waker" }] });
  const woken = await engine.start("two");
  wake = () => engine.worker.take({ tenant: "default", executionId: woken.id });
  const { id } = await engine.start("waking");
  engine.worker.take({ tenant: "default", executionId: id });
  (await gate(0)).open(1);
  await gate(1);
  expect(Object.keys((await engine.store.executions.get("default", woken.id))?.execution.checkpoints ?? {})).toEqual([""]);
  (await gate(1)).open(2);
  await engine.worker.idle();
  expect(await engine.executor.get("default", woken.id)).toMatchObject({ status: "COMPLETED", output: { a: 1, b: 2 } });
});

test("two workers that take the same execution at once run it once", async () => {
  const { type, calls, gate } = gatedStep();
  await using engine = await createEngine({ stepTypes: [type], consume: false });
  await engine.define(twoSteps);
  const second = engine.addWorker("worker-2");
  const { id } = await engine.start("two");
  engine.worker.take({ tenant: "default", executionId: id });
  second.take({ tenant: "default", executionId: id });
  (await gate(0)).open("x");
  (await gate(1)).open("y");
  await engine.worker.idle();
  await second.idle();
  expect((await engine.executor.get("default", id)).status).toBe("COMPLETED");
  expect(calls.map(({ step }) => step)).toEqual(["a", "b"]);
});

test("cancel aborts the step at work, and its late result changes nothing", async () => {
  const { type, gate } = gatedStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  const first = await gate(0);
  const cancelled = await engine.executor.cancel({ id: "ann", tenant: "default" }, id);
  expect(cancelled.status).toBe("CANCELLED");
  expect(first.signal.aborted).toBe(true);
  first.open("late");
  await engine.worker.idle();
  const { lastSeq } = await engine.executor.get("default", id);
  expect((await engine.events(id)).at(-1)).toMatchObject({ type: "execution.cancelled", seq: lastSeq });
});

test("pause lets the step at work finish and stops before the next one", async () => {
  const { type, calls, gate } = gatedStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  const first = await gate(0);
  const send = vi.spyOn(engine.store.inbox, "send");
  const paused = engine.executor.pause({ id: "ann", tenant: "default" }, id);
  // Sent, and taken in already maybe: on a slow machine the holder reads its mail before anybody could look.
  await expect.poll(() => send.mock.settledResults.length).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
  first.open(1);
  expect((await paused).status).toBe("PAUSED");
  expect(calls).toHaveLength(1);
  await engine.executor.resume({ id: "ann", tenant: "default" }, id);
  (await gate(1)).open(2);
  expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED", output: { a: 1, b: 2 } });
});

test("a draining worker hands a busy execution over, and another one ends it once", async () => {
  const { type, calls, gate } = gatedStep();
  await using engine = await createEngine({ stepTypes: [type], consume: false });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  engine.worker.take({ tenant: "default", executionId: id });
  await gate(0);
  await engine.worker.drain(20);
  const handed = await engine.executor.get("default", id);
  expect(handed).toMatchObject({ status: "RUNNING", owner: null });
  const second = engine.addWorker("worker-2");
  second.take({ tenant: "default", executionId: id });
  (await gate(1)).open(1);
  (await gate(2)).open(2);
  await second.idle();
  expect(await engine.executor.get("default", id)).toMatchObject({ status: "COMPLETED", output: { a: 1, b: 2 } });
  expect(calls.map(({ step }) => step)).toEqual(["a", "a", "b"]);
});

testInMemory("a step that outlives every roll-out is no poison: what is handed over in order does not count", async () => {
  const { type, calls, gate } = gatedStep();
  await using engine = await createEngine({ stepTypes: [type], consume: false });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  const rollOuts = 24;
  for (let index = 0; index < rollOuts; index++) {
    const worker = engine.addWorker(`worker-${index + 2}`);
    worker.take({ tenant: "default", executionId: id });
    await gate(index);
    await worker.drain(0);
  }
  expect(await engine.executor.get("default", id)).toMatchObject({ status: "RUNNING", owner: null, idleClaims: 0 });
  engine.worker.take({ tenant: "default", executionId: id });
  (await gate(rollOuts)).open(1);
  (await gate(rollOuts + 1)).open(2);
  await engine.worker.idle();
  expect(await engine.executor.get("default", id)).toMatchObject({ status: "COMPLETED", output: { a: 1, b: 2 } });
  expect(calls.filter(({ step }) => step === "a").map(({ attempt }) => attempt)).toEqual(Array.from(calls.slice(1), (_, n) => n + 1));
});

test("an execution that rests takes in any number of signals", async () => {
  await using engine = await createEngine();
  await engine.define({ id: "wait", name: "Wait", steps: [{ id: "wait", type: "delay", config: { for: "1h" } }] });
  const { id } = await engine.run("wait");
  for (let index = 0; index < 24; index++) {
    await engine.executor.signal({ id: "ann", tenant: "default" }, id, { event: `news-${index}`, data: index });
    await expect.poll(async () => (await engine.store.inbox.list("default", id)).length).toBe(0);
  }
  expect(await engine.executor.get("default", id)).toMatchObject({ status: "RUNNING", isParked: true, idleClaims: 0 });
});

testInMemory("an execution that every worker falls silent on is failed", async () => {
  const { type, gate } = gatedStep();
  const clock = manualClock();
  await using engine = await createEngine({ stepTypes: [type], consume: false, clock, leaseMs: 10_000 });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  // The first one got as far as a checkpoint of its input.
  const claims = 21;
  const silent = [];
  for (let index = 0; index < claims; index++) {
    engine.addWorker(`worker-${index + 2}`).take({ tenant: "default", executionId: id });
    silent.push(await gate(index));
    // As a killed process does: its lease ends without a word of it.
    const held = (await engine.executor.get("default", id)).leaseUntil ?? 0;
    Object.assign(clock, { now: () => held + 1 });
  }
  engine.worker.take({ tenant: "default", executionId: id });
  await engine.worker.idle();
  expect(await engine.executor.get("default", id)).toMatchObject({ status: "FAILED", error: { code: "INTERNAL" } });
  for (const gateOf of silent) gateOf.open("late");
});

testInMemory("a worker whose clock lags by an hour goes on from the newest checkpoint, not from the newest time", async () => {
  const { type, calls, gate } = gatedStep();
  await using engine = await createEngine({ stepTypes: [type], consume: false });
  const steps = ["a", "b", "c", "d"];
  await engine.define({
    id: "four",
    name: "Four",
    steps: steps.map((id, index) => ({ id, type: "gated", nextSteps: steps.slice(index + 1, index + 2) })),
  });
  const { id } = await engine.start("four");
  engine.worker.take({ tenant: "default", executionId: id });
  for (const index of [0, 1]) (await gate(index)).open(index);
  await gate(2);
  await engine.worker.drain(10);
  // LangGraph names checkpoints by the time of day.
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() - 3_600_000 });
  const lagging = engine.addWorker("worker-2");
  try {
    lagging.take({ tenant: "default", executionId: id });
    (await gate(3)).open("c");
    await gate(4);
    await lagging.drain(10);
  } finally {
    vi.useRealTimers();
  }
  const third = engine.addWorker("worker-3");
  third.take({ tenant: "default", executionId: id });
  (await gate(5)).open("d");
  await third.idle();
  expect((await engine.executor.get("default", id)).status).toBe("COMPLETED");
  expect(calls.map(({ step }) => step)).toEqual(["a", "b", "c", "c", "d", "d"]);
});

/** A store whose next `times` reads of a checkpoint are answered by `answer`. */
async function oddStore(clock: ManualClock, times: number, answer: () => Promise<undefined>): Promise<Store> {
  const store = await openStore("sqlite::memory:", { ownerId: "worker-1", clock });
  const checkpointer = new Proxy(store.checkpointer, {
    get(target, name) {
      if (name === "getTuple" && times-- > 0) return answer;
      const value: unknown = Reflect.get(target, name);
      return typeof value === "function" ? (value.bind(target) as unknown) : value;
    },
  });
  return { ...store, checkpointer };
}

testInMemory("a checkpoint that the record names and the store does not show yet is waited for: nothing begins anew", async () => {
  const { type, calls, gate } = gatedStep();
  const clock = manualClock();
  const store = await oddStore(clock, 3, () => Promise.resolve(undefined));
  await using engine = await createEngine({ store, stepTypes: [type], clock, leaseMs: 10_000, consume: false });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  const hint = { tenant: "default", executionId: id };
  engine.worker.take(hint);
  (await gate(0)).open(1);
  await gate(1);
  const handle = await engine.store.executions.get("default", id);
  const other = await engine.store.executions.commit(claimOn(handle as ExecutionHandle, "another process", clock.now()));
  clock.advance(4_000);
  await engine.worker.idle();
  clock.advance((other.execution.leaseUntil ?? 0) - clock.now() + 1);
  engine.worker.take(hint);
  await expect.poll(() => (clock.advance(100), calls.length), { interval: 5 }).toBe(3);
  (await gate(2)).open(2);
  await engine.worker.idle();
  expect(await engine.executor.get("default", id)).toMatchObject({ status: "COMPLETED", output: { a: 1, b: 2 } });
  expect(calls.map(({ step }) => step)).toEqual(["a", "b", "b"]);
});

test.each([
  { failures: 3, becomes: { status: "COMPLETED", epoch: 5 } },
  { failures: 4, becomes: { status: "FAILED", epoch: 5, error: { code: "INTERNAL" } } },
])(
  "an error nobody foresaw is no failure of the execution until the fourth in a row: after $failures it is $becomes.status",
  async ({ failures, becomes }) => {
    const clock = manualClock();
    await using engine = await createEngine({
      store: await oddStore(clock, failures, () => Promise.reject(new TypeError("nobody foresaw this"))),
      clock,
      consume: false,
      leaseMs: 10_000,
    });
    await engine.define({
      id: "w",
      name: "W",
      steps: [{ id: "a", type: "transform", config: { set: { n: "${ 1 }" } } }],
      output: { n: "${ steps.a.output.n }" },
    });
    const { id } = await engine.start("w");
    // One that was claimed before may have checkpoints, which are read.
    const handle = await engine.store.executions.get("default", id);
    await engine.store.executions.commit(claimOn(handle as ExecutionHandle, "a process that died", clock.now()));
    clock.advance(15_001);
    for (let claim = 1; claim <= 4; claim += 1) {
      engine.worker.take({ tenant: "default", executionId: id });
      await engine.worker.idle();
      // Nobody else takes it before the lease is over.
      if (claim < 4) expect((await engine.executor.get("default", id)).status).toBe("RUNNING");
      clock.advance(10_001);
    }
    expect(await engine.executor.get("default", id)).toMatchObject(becomes);
  },
);
