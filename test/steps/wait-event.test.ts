import { expect, test } from "vitest";
import type { JsonObject } from "../../src/definition/json.ts";
import { createEngine, testInMemory, type Engine } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

const ann = { id: "ann", tenant: "default" };

/** Waits for the payment of one order after a step that says which. */
const payment = (config: JsonObject = {}) => ({
  id: "pay",
  name: "Pay",
  variables: { region: { type: "string" as const, default: "eu" } },
  steps: [
    { id: "order", type: "transform", config: { set: { id: "${ input.order }", total: 12 } }, nextSteps: ["paid"] },
    {
      id: "paid",
      type: "wait_event",
      config: { event: "payment", ...config },
      nextSteps: [{ to: "end" }, { to: "late", on: "timeout" as const }],
    },
    { id: "late", type: "end" },
    { id: "end", type: "end" },
  ],
  output: { paid: "${ steps.paid.output }" },
});

async function parked(engine: Engine, id: string): Promise<void> {
  await expect.poll(async () => (await engine.executor.get("default", id)).isParked).toBe(true);
}
/** What it ended with. A signal may be taken in later than the call for it returns. */
async function ended(engine: Engine, id: string) {
  await expect.poll(async () => (await engine.executor.get("default", id)).endedAt).not.toBeNull();
  return await engine.executor.get("default", id);
}
const openWaits = async (engine: Engine, executionId: string) =>
  (await engine.executor.waits("default", { executionId, kind: "event", pageSize: 10 })).items;

test("an event that comes while the step waits is its output", async () => {
  await using engine = await createEngine();
  await engine.define(payment());
  const { id } = await engine.start("pay", { order: "o1" });
  await parked(engine, id);
  await engine.executor.signal(ann, id, { event: "payment", data: { amount: 12 }, eventId: "e1" });
  expect((await ended(engine, id)).output).toEqual({ paid: { event: "payment", data: { amount: 12 }, eventId: "e1" } });
});

test("an event that comes before the step waits is not lost", async () => {
  await using engine = await createEngine({ consume: false });
  await engine.define(payment());
  const { id } = await engine.start("pay", { order: "o1" });
  const signalled = engine.executor.signal(ann, id, { event: "payment", data: 1, eventId: "e1" });
  await expect.poll(async () => (await engine.store.inbox.list("default", id)).length).toBe(1);
  engine.worker.take({ tenant: "default", executionId: id });
  await signalled;
  expect((await ended(engine, id)).output).toMatchObject({ paid: { data: 1, eventId: "e1" } });
  expect((await openWaits(engine, id)).map(({ status }) => status)).toEqual(["answered"]);
});

test("only an event that matches is taken, one that lacks what is asked for is not, and the others stay", async () => {
  await using engine = await createEngine();
  await engine.define(
    payment({ match: "event.data.order == steps.order.output.id && event.data.region == vars.region && event.type == 'payment'" }),
  );
  const { id } = await engine.start("pay", { order: "o7" });
  await parked(engine, id);
  const began = performance.now();
  for (const [eventId, data] of [
    ["a", { order: "o8", region: "eu" }],
    ["b", null],
    ["c", { order: "o7" }],
    ["d", { order: "o7", region: "us" }],
  ] as const) {
    await engine.executor.signal(ann, id, { event: "payment", data, eventId });
  }
  // Nobody waits for an effect that an event without a taker does not have.
  expect(performance.now() - began).toBeLessThan(1_500);
  await expect.poll(async () => (await engine.executor.get("default", id)).mailbox.length).toBe(4);
  await engine.executor.signal(ann, id, { event: "payment", data: { order: "o7", region: "eu" }, eventId: "e" });
  expect((await ended(engine, id)).output).toMatchObject({ paid: { eventId: "e" } });
});

test("two branches that wait for the same name each get the event that is theirs", async () => {
  await using engine = await createEngine();
  const wait = (name: string) => ({
    id: name,
    type: "wait_event",
    config: { event: "paid", match: `event.data.who == item` },
    nextSteps: ["join"],
  });
  await engine.define({
    id: "two",
    name: "Two",
    steps: [
      {
        id: "fan",
        type: "parallel",
        config: {
          branches: [
            { name: "a", start: "a", input: "ann" },
            { name: "b", start: "b", input: "bob" },
          ],
          join: "join",
        },
      },
      wait("a"),
      wait("b"),
      { id: "join", type: "transform", config: { set: { who: "${ steps.fan.output.results }" } } },
    ],
    output: { who: "${ steps.join.output.who }" },
  });
  const { id } = await engine.start("two");
  await parked(engine, id);
  await engine.executor.signal(ann, id, { event: "paid", data: { who: "bob" }, eventId: "e1" });
  await engine.executor.signal(ann, id, { event: "paid", data: { who: "ann" }, eventId: "e2" });
  expect((await ended(engine, id)).output).toMatchObject({ who: { a: { eventId: "e2" }, b: { eventId: "e1" } } });
});

test("an event sent twice counts once", async () => {
  await using engine = await createEngine();
  await engine.define({
    id: "twice",
    name: "Twice",
    steps: [
      { id: "one", type: "wait_event", config: { event: "tick" }, nextSteps: ["two"] },
      { id: "two", type: "wait_event", config: { event: "tick" } },
    ],
    output: { ids: ["${ steps.one.output.eventId }", "${ steps.two.output.eventId }"] },
  });
  const { id } = await engine.start("twice");
  for (const eventId of ["e1", "e1", "e2"]) await engine.executor.signal(ann, id, { event: "tick", eventId });
  expect((await ended(engine, id)).output).toEqual({ ids: ["e1", "e2"] });
});

test("out of time it leaves by `on: timeout` and is not listed as open any more", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock });
  await engine.define(payment({ timeout: "10m" }));
  const { id } = await engine.start("pay", { order: "o1" });
  await parked(engine, id);
  expect(await openWaits(engine, id)).toMatchObject([
    { status: "open", request: { event: "payment", match: null }, title: "Event payment" },
  ]);
  clock.advance(10 * 60_000);
  const done = await ended(engine, id);
  expect((await engine.executor.steps("default", id)).at(-1)?.stepId).toBe("late");
  expect(done.output).toEqual({ paid: { event: "payment", data: null, eventId: null } });
  expect((await openWaits(engine, id)).map(({ status }) => status)).toEqual(["expired"]);
});

testInMemory("an event that came in time wins over the clock although nobody looked before both were there", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock, consume: false });
  await engine.define(payment({ timeout: "10m" }));
  const { id } = await engine.start("pay", { order: "o1" });
  const hint = { tenant: "default", executionId: id };
  engine.worker.take(hint);
  await engine.worker.idle();
  await engine.store.inbox.send({
    id: "m1",
    tenant: "default",
    executionId: id,
    at: new Date(clock.now()).toISOString(),
    principal: "ann",
    body: { type: "signal", event: "payment", data: 5, eventId: "e1" },
  });
  engine.worker.wakeups.clear();
  clock.advance(60 * 60_000);
  engine.worker.take(hint);
  await engine.worker.idle();
  expect((await engine.executor.get("default", id)).output).toMatchObject({ paid: { data: 5 } });
  expect((await openWaits(engine, id)).map(({ status }) => status)).toEqual(["answered"]);
});

test("`match` keeps of the scope what it reads, and no more than fits into the record", async () => {
  await using engine = await createEngine();
  await engine.define(payment({ match: "event.data.order == input.order && !has(input.none)" }));
  const { id } = await engine.start("pay", { order: "o1", document: "x".repeat(50_000) });
  await parked(engine, id);
  expect((await engine.executor.get("default", id)).waits[0]?.state).toMatchObject({ step: { scope: { input: { order: "o1" } } } });
  await engine.executor.signal(ann, id, { event: "payment", data: { order: "o1" } });
  expect((await ended(engine, id)).status).toBe("COMPLETED");
  await engine.define({ ...payment({ match: "event.data == input" }), id: "greedy" });
  const greedy = await engine.run("greedy", { order: "o1", document: "x".repeat(50_000) });
  expect(greedy.error).toMatchObject({ code: "TOO_LARGE", stepId: "paid" });
});

test("a `match` that asks no question, or about a step that does not exist, is found when the workflow is saved", async () => {
  await using engine = await createEngine();
  const issues = (match: string) => engine.workflows.validate(payment({ match })).issues.map(({ code, pointer }) => [code, pointer]);
  expect(issues("event.data.order == input.order")).toEqual([]);
  expect(issues("'yes'")).toEqual([["TYPE_MISMATCH", "/steps/1/config/match"]]);
  expect(issues("event.id == steps.none.output")).toEqual([["UNKNOWN_NAME", "/steps/1/config/match"]]);
});
