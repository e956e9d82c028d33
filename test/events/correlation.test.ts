import { afterEach, expect, test } from "vitest";
import { createLocalQueue } from "../../src/adapters/local/queue.ts";
import { openStore } from "../../src/adapters/open.ts";
import type { IncomingEvent } from "../../src/definition/received-event.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import { SignalboxError } from "../../src/errors.ts";
import { createEvents, type Events } from "../../src/events/events.ts";
import type { Store } from "../../src/ports/store.ts";
import { createTriggerManager } from "../../src/triggers/manager.ts";
import { loadTriggerTypes } from "../../src/triggers/trigger-types.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";
import { paid } from "./support.ts";

const types = await loadTriggerTypes();
const DAY_MS = 86_400_000;
const tenant = "default";

/** Waits for the payment of its order. */
const waiting = (config: JsonObject = {}, more: JsonObject = {}) => ({
  id: "pay",
  name: "Pay",
  steps: [
    {
      id: "paid",
      type: "wait_event",
      config: { event: "shop.paid", from: "tenant", match: "event.data.order == input.order", ...config },
      nextSteps: ["end"],
    },
    { id: "end", type: "end", config: {} },
  ],
  output: { got: "${ steps.paid.output.data }" },
  ...more,
});

interface Service extends AsyncDisposable {
  engine: Engine;
  events: Events;
  clock: ReturnType<typeof manualClock>;
  take(event: Partial<IncomingEvent>): ReturnType<Events["ingest"]["take"]>;
  /** A worker that takes an execution up, as the hint of an event or the sweeper would lead it. */
  turn(id: string): Promise<void>;
  output(id: string): Promise<unknown>;
}

let open: Service[] = [];
afterEach(async () => {
  for (const service of open) await service[Symbol.asyncDispose]();
  open = [];
});

/** A service whose hints lead nowhere: the test says who does what, and when. `around` stands between the service and its store. */
async function aService(around: (store: Store) => Store = (store) => store): Promise<Service> {
  const clock = manualClock();
  const store = around(await openStore("sqlite::memory:", { ownerId: "worker-1", clock }));
  const engine = await createEngine({ clock, store, consume: false });
  const triggers = createTriggerManager({ store, executor: engine.executor, types, clock, readSecret: async () => undefined });
  const events = createEvents({
    store,
    queue: createLocalQueue(),
    triggers,
    clock,
    keepMs: 7 * DAY_MS,
    keepParkedMs: DAY_MS,
    maxBytes: 1_048_576,
  });
  const service: Service = {
    engine,
    events,
    clock,
    take: (event) => events.ingest.take(tenant, paid(event), { via: "api" }),
    async turn(id) {
      engine.worker.take({ tenant, executionId: id });
      await engine.worker.idle();
    },
    async output(id) {
      const { output } = await engine.executor.get(tenant, id);
      return (output as JsonObject | null)?.["got"] ?? null; // what `output` of the definitions below says
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
  open.push(service);
  return service;
}

test("an event wakes every execution that waits for it and matches, names them, and no other", async () => {
  const { engine, take, turn, output } = await aService();
  await engine.define(waiting());
  const ids: string[] = [];
  for (const order of ["1", "2", "1"]) ids.push((await engine.start("pay", { order })).id);
  for (const id of ids) await turn(id);
  const { woken } = await take({ data: { order: "1", amount: 3 } });
  expect(woken.map(({ executionId }) => executionId).toSorted()).toEqual([ids[0], ids[2]].toSorted());
  for (const id of ids) await turn(id);
  expect(await Promise.all(ids.map(output))).toEqual([{ order: "1", amount: 3 }, null, { order: "1", amount: 3 }]);
  const kept = await engine.store.received.list(tenant, { outcome: "TAKEN", pageSize: 5 });
  expect(kept.items[0]?.result.woken).toHaveLength(2);
});

test("an event that came after the execution was created and before it waits is taken, the oldest first", async () => {
  const { engine, take, turn, output, clock } = await aService();
  await engine.define(waiting());
  const { id } = await engine.start("pay", { order: "1" });
  await take({ id: "foreign", data: { order: "9" } });
  await take({ id: "first", data: { order: "1", n: 1 } });
  clock.advance(10);
  await take({ id: "second", data: { order: "1", n: 2 } });
  await turn(id);
  expect(await output(id)).toEqual({ order: "1", n: 1 });
});

test("what came before the execution was created counts only as far as lookback says, and what started it never", async () => {
  const { engine, take, turn, output, clock } = await aService();
  await engine.define(waiting({}, { id: "new" }));
  await engine.define(waiting({ lookback: "1h" }, { id: "hour" }));
  await engine.define(waiting({ lookback: "1h" }, { id: "started", triggers: [{ type: "event", config: { eventType: "shop.paid" } }] }));
  await take({ id: "early", data: { order: "1", n: 1 } });
  const started = (await engine.executor.list(tenant, { workflowId: "started", pageSize: 1 })).items[0]?.id ?? "";
  clock.advance(600_000);
  const ids = [(await engine.start("new", { order: "1" })).id, (await engine.start("hour", { order: "1" })).id];
  for (const id of [...ids, started]) await turn(id);
  expect(await Promise.all([...ids, started].map(output))).toEqual([null, { order: "1", n: 1 }, null]);
  clock.advance(3_600_000);
  const late = (await engine.start("hour", { order: "1" })).id;
  await turn(late);
  expect(await output(late)).toBeNull();
});

test("a subject leads to its waits alone, and an event without one to those that ask for none", async () => {
  const { engine, take, turn, output } = await aService();
  await engine.define(waiting({ subject: "${ input.order }", match: "event.subject == input.order && event.source == '/shop'" }));
  const ids: string[] = [];
  for (const order of ["1", "2"]) ids.push((await engine.start("pay", { order })).id);
  for (const id of ids) await turn(id);
  expect((await take({ id: "none" })).woken).toEqual([]);
  expect((await take({ id: "one", subject: "1", data: 1 })).woken.map(({ executionId }) => executionId)).toEqual([ids[0]]);
  const third = (await engine.start("pay", { order: "2" })).id;
  await take({ id: "two", subject: "2", data: 2 });
  for (const id of [...ids, third]) await turn(id);
  expect(await Promise.all([...ids, third].map(output))).toEqual([1, 2, 2]);
});

test("a step in a loop takes each event once, whichever way it learns of it", async () => {
  const { engine, take, turn, output, clock } = await aService();
  await engine.define({
    id: "pay",
    name: "Collect",
    variables: { got: { type: "array", default: [], reducer: "append" } },
    steps: [
      {
        id: "next",
        type: "wait_event",
        config: { event: "shop.paid", from: "tenant" },
        output: { got: "${ output.data }" },
        nextSteps: [{ to: "end", when: "size(vars.got) >= 4" }, "next"],
      },
      { id: "end", type: "end", config: {} },
    ],
    output: { got: "${ vars.got }" },
  });
  const { id } = await engine.start("pay");
  for (const n of [1, 2]) {
    await take({ id: `e${n}`, data: n });
    clock.advance(10);
  }
  await turn(id);
  // Delivered again, and again after it was taken: a copy, and a message that was on its way.
  await take({ id: "e1", data: 1 });
  await turn(id);
  await take({ id: "e3", data: 3 });
  await take({ id: "e3", data: 3 });
  await turn(id);
  await turn(id);
  expect(await output(id)).toBeNull();
  await take({ id: "e4", data: 4 });
  await turn(id);
  expect(await output(id)).toEqual([1, 2, 3, 4]);
});

test("branches that wait for one event all take it", async () => {
  const { engine, take, turn } = await aService();
  const branch = (id: string) => ({ id, type: "wait_event", config: { event: "shop.paid", from: "tenant" }, nextSteps: ["join"] });
  await engine.define({
    id: "pay",
    name: "Both",
    steps: [
      { id: "fan", type: "parallel", config: { branches: ["a", "b"].map((name) => ({ name, start: name })), join: "join" } },
      branch("a"),
      branch("b"),
      { id: "join", type: "transform", config: { set: {} }, nextSteps: [] },
    ],
  });
  const { id } = await engine.start("pay");
  await turn(id);
  expect((await take({})).woken).toHaveLength(2);
  await turn(id);
  expect((await engine.executor.get(tenant, id)).status).toBe("COMPLETED");
});

test("an event that comes between the commit of a wait and the look back is taken once: both sides see each other", async () => {
  let between: (() => Promise<unknown>) | undefined;
  const { engine, take, turn, output } = await aService((store) => ({
    ...store,
    received: {
      ...store.received,
      async since(...query) {
        const during = between;
        between = undefined;
        await during?.();
        return await store.received.since(...query);
      },
    },
  }));
  await engine.define(waiting());
  const { id } = await engine.start("pay", { order: "1" });
  let woken = 0;
  between = async () => (woken = (await take({ data: { order: "1" } })).woken.length);
  await turn(id);
  await turn(id);
  // The wait was durable already, so the event found it; the look back found the event as well.
  expect(woken).toBe(1);
  expect(await output(id)).toEqual({ order: "1" });
  const resolved = (await engine.events(id)).filter(({ type }) => type === "wait.resolved");
  expect(resolved).toHaveLength(1);
});

test("an event whose look for waits comes before the commit of a wait is found by the look back", async () => {
  let isHeld = false;
  let release = (): void => {};
  const { engine, take, turn, output } = await aService((store) => ({
    ...store,
    waits: {
      ...store.waits,
      async onTopic(...query) {
        const found = await store.waits.onTopic(...query);
        if (isHeld) await new Promise<void>((resolve) => (release = resolve));
        return found;
      },
    },
  }));
  await engine.define(waiting());
  const { id } = await engine.start("pay", { order: "1" });
  isHeld = true;
  const taking = take({ data: { order: "1" } });
  await turn(id);
  isHeld = false;
  release();
  expect((await taking).woken).toEqual([]);
  expect(await output(id)).toEqual({ order: "1" });
});

test("a holder that dies between the commit of a wait and the look back leaves the look to the next one", async () => {
  let failures = 1;
  const { engine, take, turn, output, clock } = await aService((store) => ({
    ...store,
    received: {
      ...store.received,
      since: async (...query) => {
        // Twice for each holder: once beside the graph, once before it parks.
        if (failures-- > 0) throw new SignalboxError("UNAVAILABLE");
        return await store.received.since(...query);
      },
    },
  }));
  await engine.define(waiting());
  const { id } = await engine.start("pay", { order: "1" });
  await take({ data: { order: "1" } });
  failures = 2;
  await turn(id);
  const left = await engine.executor.get(tenant, id);
  expect(left.waits).toMatchObject([{ kind: "event", answer: null }]);
  expect(left.isParked).toBe(false);
  clock.advance(60_000);
  await turn(id);
  expect(await output(id)).toEqual({ order: "1" });
});

test("a signal that names the execution still answers the step", async () => {
  const { engine, turn, output } = await aService();
  await engine.define(waiting());
  const { id } = await engine.start("pay", { order: "1" });
  await turn(id);
  await engine.store.inbox.send({
    id: "m1",
    tenant,
    executionId: id,
    at: new Date(0).toISOString(),
    principal: "ann",
    body: { type: "signal", event: "shop.paid", data: { order: "1", by: "hand" }, eventId: null },
  });
  await turn(id);
  expect(await output(id)).toEqual({ order: "1", by: "hand" });
});

test("a wait of another tenant, one that was answered and one that ran out of time are not woken", async () => {
  const { engine, take, turn, events, clock } = await aService();
  await engine.define(waiting({ timeout: "1h" }));
  const { id } = await engine.start("pay", { order: "1" });
  await turn(id);
  expect((await events.ingest.take("another", paid({ data: { order: "1" } }), { via: "api" })).woken).toEqual([]);
  clock.advance(2 * 3_600_000);
  await turn(id);
  expect((await take({ data: { order: "1" } })).woken).toEqual([]);
});
