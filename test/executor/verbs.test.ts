import { expect, test } from "vitest";
import { createLocalQueue } from "../../src/adapters/local/queue.ts";
import type { Execution } from "../../src/definition/execution.ts";
import { createVerbs } from "../../src/executor/verbs.ts";
import type { Executor } from "../../src/executor/executor.ts";
import { systemClock } from "../../src/ports/clock.ts";
import type { Store } from "../../src/ports/store.ts";
import { createEngine, testInMemory, type Engine } from "../support/engine.ts";
import { gatedStep, twoSteps } from "../support/gated-step.ts";
import { manualClock } from "../support/manual-clock.ts";

const ann = { id: "ann", tenant: "default" };

/** Another process that takes in a request at once and sends its message only when told to. */
function slowProcess({ store }: Engine): { verbs: Pick<Executor, "cancel" | "pause" | "resume" | "retry">; goOn(): void; sent: number } {
  let goOn = () => {};
  const held = new Promise<void>((resolve) => (goOn = resolve));
  const process = { sent: 0, goOn, verbs: createVerbs({ store: slowStore(), queue: createLocalQueue(), clock: systemClock }) };
  return process;

  function slowStore(): Store {
    const inbox: Store["inbox"] = {
      ...store.inbox,
      async send(message) {
        process.sent += 1;
        await held;
        return await store.inbox.send(message);
      },
    };
    return { ...store, inbox };
  }
}

async function isHeld(process: { sent: number }): Promise<void> {
  await expect.poll(() => process.sent).toBe(1);
}

const parked = {
  id: "parked",
  name: "Parked",
  steps: [
    { id: "wait", type: "delay" as const, config: { for: "1h" }, nextSteps: ["end"] },
    { id: "end", type: "end" as const },
  ],
};

async function park(engine: Engine): Promise<string> {
  await engine.define(parked);
  const { id } = await engine.run("parked");
  return id;
}

/** Lets the worker look at what has arrived, as its hint or the sweeper would. */
async function lookAt(engine: Engine, id: string): Promise<Execution> {
  engine.worker.take({ tenant: "default", executionId: id });
  await engine.worker.idle();
  expect(await engine.store.inbox.list("default", id)).toEqual([]);
  return await engine.executor.get("default", id);
}

async function count(engine: Engine, id: string, type: string): Promise<number> {
  return (await engine.events(id)).filter((event) => event.type === type).length;
}

test("a pause that was asked before a resume and arrives after it changes nothing", async () => {
  await using engine = await createEngine();
  const id = await park(engine);
  const slow = slowProcess(engine);
  const late = slow.verbs.pause(ann, id);
  await isHeld(slow);
  await engine.executor.pause(ann, id);
  await engine.executor.resume(ann, id);
  slow.goOn();
  expect((await late).status).toBe("RUNNING");
  expect((await lookAt(engine, id)).status).toBe("RUNNING");
  expect(await count(engine, id, "execution.paused")).toBe(1);
});

test("a pause that is asked after a resume pauses again", async () => {
  await using engine = await createEngine();
  const id = await park(engine);
  for (let round = 1; round <= 3; round += 1) {
    expect((await engine.executor.pause(ann, id)).status).toBe("PAUSED");
    expect((await engine.executor.resume(ann, id)).status).toBe("RUNNING");
  }
  expect(await count(engine, id, "execution.paused")).toBe(3);
});

test("a resume that was asked for an earlier pause does not end a later one", async () => {
  await using engine = await createEngine();
  const id = await park(engine);
  await engine.executor.pause(ann, id);
  const slow = slowProcess(engine);
  const late = slow.verbs.resume(ann, id);
  await isHeld(slow);
  await engine.executor.resume(ann, id);
  await engine.executor.pause(ann, id);
  slow.goOn();
  await late;
  expect((await lookAt(engine, id)).status).toBe("PAUSED");
});

test("a retry that was asked for an earlier failure does not try a later one again, and a cancel does not outlive a retry", async () => {
  const { type, calls, gate } = gatedStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  const cancelling = slowProcess(engine);
  await gate(0);
  const lateCancel = cancelling.verbs.cancel(ann, id).catch((error: unknown) => error);
  await isHeld(cancelling);
  (await gate(0)).fail();
  expect((await engine.settled(id)).status).toBe("FAILED");
  const retrying = slowProcess(engine);
  const lateRetry = retrying.verbs.retry(ann, id);
  await isHeld(retrying);
  const again = engine.executor.retry(ann, id);
  (await gate(1)).fail();
  await again;
  expect((await engine.settled(id)).status).toBe("FAILED");
  retrying.goOn();
  cancelling.goOn();
  await lateRetry;
  await lateCancel;
  expect((await lookAt(engine, id)).status).toBe("FAILED");
  expect(calls).toHaveLength(2);
});

test("a cancel counts however often the execution was paused and resumed since it was asked", async () => {
  await using engine = await createEngine();
  const id = await park(engine);
  const slow = slowProcess(engine);
  const late = slow.verbs.cancel(ann, id);
  await isHeld(slow);
  await engine.executor.pause(ann, id);
  await engine.executor.resume(ann, id);
  slow.goOn();
  await late;
  expect((await lookAt(engine, id)).status).toBe("CANCELLED");
});

test("a verb with a key that was taken in already changes nothing, however late it comes again", async () => {
  await using engine = await createEngine();
  const id = await park(engine);
  const once = { idempotencyKey: "audit-7" };
  await engine.executor.pause(ann, id, "audit", once);
  await engine.executor.resume(ann, id, { idempotencyKey: "audit-7-over" });
  // Nothing tells this request from a new one but its key: it reads the execution after the resume.
  expect((await engine.executor.pause(ann, id, "audit", once)).status).toBe("RUNNING");
  expect((await lookAt(engine, id)).status).toBe("RUNNING");
  expect((await engine.executor.resume(ann, id, { idempotencyKey: "audit-7-over" })).status).toBe("RUNNING");
  expect(await count(engine, id, "execution.paused")).toBe(1);
});

test("a message with a key that comes again after it was consumed changes nothing", async () => {
  await using engine = await createEngine();
  const id = await park(engine);
  const slow = slowProcess(engine);
  const once = { idempotencyKey: "once" };
  const late = slow.verbs.pause(ann, id, "audit", once);
  await isHeld(slow);
  await engine.executor.pause(ann, id, "audit", once);
  await engine.executor.resume(ann, id);
  slow.goOn();
  expect((await late).status).toBe("RUNNING");
  expect((await lookAt(engine, id)).status).toBe("RUNNING");
});

test("a signal with a key counts once", async () => {
  await using engine = await createEngine();
  const id = await park(engine);
  for (let asked = 0; asked < 2; asked += 1) {
    await engine.executor.signal(ann, id, { event: "paid", data: 1, idempotencyKey: "paid-1" });
    await lookAt(engine, id);
  }
  expect((await engine.executor.get("default", id)).mailbox).toHaveLength(1);
});

test("a retry with a key is answered again instead of refused", async () => {
  const { type, calls, gate } = gatedStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  (await gate(0)).fail();
  await engine.settled(id);
  await engine.executor.retry(ann, id, { idempotencyKey: "again" });
  await gate(1);
  expect((await engine.executor.retry(ann, id, { idempotencyKey: "again" })).status).toBe("RUNNING");
  await expect(engine.executor.retry(ann, id)).rejects.toMatchObject({ code: "CONFLICT" });
  (await gate(1)).open(1);
  (await gate(2)).open(2);
  expect((await engine.settled(id)).status).toBe("COMPLETED");
  expect(calls).toHaveLength(3);
});

test("a key that came with another verb, or other words, is refused, taken in or not", async () => {
  await using engine = await createEngine();
  const id = await park(engine);
  await engine.executor.pause(ann, id, "audit", { idempotencyKey: "k" });
  await expect(engine.executor.resume(ann, id, { idempotencyKey: "k" })).rejects.toMatchObject({ code: "IDEMPOTENCY_MISMATCH" });
  await expect(engine.executor.pause(ann, id, "lunch", { idempotencyKey: "k" })).rejects.toMatchObject({ code: "IDEMPOTENCY_MISMATCH" });
  const slow = await createEngine({ consume: false });
  await using other = slow;
  await other.define(parked);
  const { id: open } = await other.start("parked");
  const pausing = other.executor.pause(ann, open, "audit", { idempotencyKey: "k" });
  await expect.poll(async () => (await other.store.inbox.list("default", open)).length).toBe(1);
  await expect(other.executor.cancel(ann, open, "audit", { idempotencyKey: "k" })).rejects.toMatchObject({ code: "IDEMPOTENCY_MISMATCH" });
  other.worker.take({ tenant: "default", executionId: open });
  expect((await pausing).status).toBe("PAUSED");
});

testInMemory("a pause that a busy step holds up is not lost with the process that took it in", async () => {
  const { type, gate } = gatedStep();
  const clock = manualClock();
  await using engine = await createEngine({ stepTypes: [type], clock, leaseMs: 9_000 });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  await gate(0);
  const pausing = engine.executor.pause(ann, id);
  await expect.poll(async () => (await engine.store.inbox.list("default", id)).length).toBe(1);
  await new Promise((resolve) => setImmediate(resolve));
  // A heartbeat writes the record while the pause is still only wished for.
  const before = (await engine.executor.get("default", id)).leaseUntil ?? 0;
  clock.advance(3_100);
  await expect.poll(async () => (await engine.executor.get("default", id)).leaseUntil).toBeGreaterThan(before);
  await pausing;
  // Its process stands still from here on; the lease ends.
  const until = (await engine.executor.get("default", id)).leaseUntil ?? 0;
  Object.assign(clock, { now: () => until + 1 });
  const second = engine.addWorker("worker-2");
  second.take({ tenant: "default", executionId: id });
  await second.idle();
  expect((await engine.executor.get("default", id)).status).toBe("PAUSED");
  // What the stopped process does when it wakes up changes nothing, and it must end with the test.
  (await gate(0)).open(1);
  await engine.worker.idle();
  expect((await engine.executor.get("default", id)).status).toBe("PAUSED");
});

testInMemory("a resume takes back a pause that a busy step holds up", async () => {
  const { type, gate } = gatedStep();
  await using engine = await createEngine({ stepTypes: [type] });
  await engine.define(twoSteps);
  const { id } = await engine.start("two");
  await gate(0);
  const late = slowProcess(engine);
  const latePause = late.verbs.pause(ann, id);
  await isHeld(late);
  const pausing = engine.executor.pause(ann, id);
  await expect.poll(async () => (await engine.store.inbox.list("default", id)).length).toBe(1);
  const resuming = engine.executor.resume(ann, id);
  await expect.poll(async () => (await engine.store.inbox.list("default", id)).length).toBe(2);
  await new Promise((resolve) => setImmediate(resolve));
  (await gate(0)).open(1);
  expect((await resuming).status).toBe("RUNNING");
  expect((await pausing).status).toBe("RUNNING");
  late.goOn();
  await latePause;
  (await gate(1)).open(2);
  expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED", output: { a: 1, b: 2 } });
  expect(await count(engine, id, "execution.paused")).toBe(0);
});

test("a pause and the resume that takes it back count in the order they were asked, whatever their clocks say", async () => {
  await using engine = await createEngine({ consume: false });
  await engine.define(parked);
  const { id } = await engine.start("parked");
  const pausing = engine.executor.pause(ann, id);
  await expect.poll(async () => (await engine.store.inbox.list("default", id)).length).toBe(1);
  const behind = { ...systemClock, now: () => systemClock.now() - 60_000 };
  const elsewhere = createVerbs({ store: engine.store, queue: createLocalQueue(), clock: behind });
  const resuming = elsewhere.resume(ann, id);
  await expect.poll(async () => (await engine.store.inbox.list("default", id)).length).toBe(2);
  engine.worker.take({ tenant: "default", executionId: id });
  await Promise.all([pausing, resuming]);
  expect((await engine.settled(id)).status).toBe("RUNNING");
  expect(await count(engine, id, "execution.paused")).toBe(0);
});
