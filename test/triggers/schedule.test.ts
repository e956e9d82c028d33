import { expect, test } from "vitest";
import { WorkflowInput } from "../../src/definition/workflow.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Scheduler } from "../../src/triggers/scheduler.ts";
import { manualClock } from "../support/manual-clock.ts";
import { ACTOR, aProcess, end, type Process } from "./support.ts";

const MINUTE = 60_000;
const START = Date.parse("2026-01-01T00:00:30Z");
const daily = (config: object = {}, more: object = {}) => ({
  type: "schedule",
  config: { cron: "* * * * *", timezone: "UTC", ...config },
  ...more,
});
const body = (triggers: object[], more: object = {}) =>
  WorkflowInput.parse({ name: "w", steps: [{ id: "a", type: "transform", config: { set: {} } }], triggers, ...more });

/** A process on a store whose time is told by `clock`. */
async function scheduled(config: object = {}) {
  const clock = manualClock(START);
  const process = await aProcess({ clock });
  await process.define({ id: "w", triggers: [daily(config)] });
  return { clock, process };
}

const ticksOf = async ({ started }: Process) =>
  (await started()).map(({ trigger }) => (trigger.event as { time: string }).time.slice(11, 16)).toSorted();

/** Moves time on by steps, and lets everybody look after each. */
async function pass(clock: ReturnType<typeof manualClock>, minutes: number, ...schedulers: Scheduler[]): Promise<void> {
  for (let n = 0; n < minutes; n++) {
    clock.advance(MINUTE);
    for (const each of schedulers) await settle(each);
  }
}

/** A look that is under way, and one that began after the time moved. */
async function settle(scheduler: Scheduler): Promise<void> {
  await scheduler.look();
  await scheduler.look();
}

test("twenty ticks in two processes, with one of them replaced at each, are twenty executions", async () => {
  const { clock, process } = await scheduled();
  const others = await Promise.all(Array.from({ length: 3 }, () => aProcess({ clock, store: process.store })));
  for (let tick = 0; tick < 20; tick++) {
    const schedulers = others.map((each) => each.schedule());
    clock.advance(MINUTE);
    await Promise.all(schedulers.map(settle));
    await Promise.all(schedulers.map((each) => each.stop()));
  }
  const times = await ticksOf(process);
  expect(times).toHaveLength(20);
  expect(new Set(times).size).toBe(20);
});

test("a process that dies between its decision and the start leaves the tick to others", async () => {
  const { clock, process } = await scheduled();
  const { store } = process;
  const dies = Promise.withResolvers<void>();
  const create = () => {
    dies.resolve();
    return new Promise<never>(() => {});
  };
  const dying = await aProcess({ clock, store: { ...store, executions: { ...store.executions, create } } });
  clock.advance(MINUTE);
  dying.schedule();
  await dies.promise;
  const scheduler = process.schedule();
  await settle(scheduler);
  expect(await process.started()).toEqual([]);
  clock.advance(20_000);
  await settle(scheduler);
  expect(await ticksOf(process)).toEqual(["00:01"]);
  await pass(clock, 1, scheduler);
  expect(await ticksOf(process)).toEqual(["00:01", "00:02"]);
});

test.each([-60 * MINUTE, 60 * MINUTE])("a process whose clock is off by %i ms fires neither early nor late nor twice", async (off) => {
  const { clock, process } = await scheduled();
  const wrong: Clock = { now: () => clock.now() + off, after: clock.after };
  const skewed = await aProcess({ clock: wrong, store: process.store });
  const scheduler = skewed.schedule();
  await settle(scheduler);
  expect(await process.started()).toEqual([]);
  await pass(clock, 3, scheduler);
  expect(await ticksOf(process)).toEqual(["00:01", "00:02", "00:03"]);
});

test.each([
  ["skip", []],
  ["once", ["03:00"]],
  ["all", ["01:00", "02:00", "03:00"]],
])("misfire %s after three hours without anybody", async (misfire, expected) => {
  const { clock, process } = await scheduled({ misfire, cron: "0 * * * *" });
  clock.advance(190 * MINUTE);
  const scheduler = process.schedule();
  await settle(scheduler);
  expect(await ticksOf(process)).toEqual(expected);
  await pass(clock, 60, scheduler);
  expect(await ticksOf(process)).toEqual([...expected, "04:00"]);
});

test("a tick is kept by a restart of less than a minute, whatever its policy", async () => {
  const { clock, process } = await scheduled({ misfire: "skip" });
  clock.advance(89_000);
  await settle(process.schedule());
  expect(await ticksOf(process)).toEqual(["00:01"]);
});

test("no more than the newest hundred missed ticks are made up for", async () => {
  const { clock, process } = await scheduled({ misfire: "all" });
  clock.advance(365 * 24 * 60 * MINUTE);
  const scheduler = process.schedule();
  await settle(scheduler);
  expect(await process.started()).toHaveLength(100);
  await pass(clock, 1, scheduler);
  expect(await process.started()).toHaveLength(101);
});

test("overlap skip: a tick that meets the execution before running is dropped", async () => {
  const { clock, process } = await scheduled({ overlap: "skip" });
  const scheduler = process.schedule();
  await pass(clock, 3, scheduler);
  expect(await ticksOf(process)).toEqual(["00:01"]);
  expect(process.lines.filter(({ fields }) => fields["overlapped"] === 1)).toHaveLength(2);
  await end(process.store, (await process.started())[0]?.id ?? "");
  await pass(clock, 1, scheduler);
  expect(await ticksOf(process)).toEqual(["00:01", "00:04"]);
});

test("overlap queue: a tick waits for the execution before it, in order", async () => {
  const { clock, process } = await scheduled({ overlap: "queue" });
  const scheduler = process.schedule();
  await pass(clock, 3, scheduler);
  expect(await ticksOf(process)).toEqual(["00:01"]);
  for (const expected of [
    ["00:01", "00:02"],
    ["00:01", "00:02", "00:03"],
  ]) {
    await end(process.store, (await process.started()).at(-1)?.id ?? "");
    clock.advance(3_000);
    await settle(scheduler);
    expect(await ticksOf(process)).toEqual(expected);
  }
});

test("a schedule that is off misses nothing, and begins anew when it is on again or another", async () => {
  const { clock, process } = await scheduled({ misfire: "all" });
  const scheduler = process.schedule();
  await pass(clock, 1, scheduler);
  await process.workflows.update(ACTOR, "w", body([daily({ misfire: "all" }, { enabled: false })]));
  await pass(clock, 3, scheduler);
  await process.workflows.update(ACTOR, "w", body([daily({ misfire: "all" })]));
  await pass(clock, 1, scheduler);
  expect(await ticksOf(process)).toEqual(["00:01", "00:05"]);
  await process.workflows.update(ACTOR, "w", body([daily({ misfire: "all", cron: "*/5 * * * *" })]));
  await pass(clock, 6, scheduler);
  expect(await ticksOf(process)).toEqual(["00:01", "00:05", "00:10"]);
  await process.workflows.archive(ACTOR, "w");
  await pass(clock, 10, scheduler);
  expect(await process.started()).toHaveLength(3);
  expect((await process.store.schedules.due(Number.MAX_SAFE_INTEGER, 10)).cursors).toEqual([]);
});

test("a tick whose start fails for a moment is started later", async () => {
  const { clock, process } = await scheduled();
  const { store } = process;
  let failures = 1;
  const failing: typeof store.executions.create = async (execution, events) => {
    if (failures-- > 0) throw new Error("not now");
    return await store.executions.create(execution, events);
  };
  const shaky = await aProcess({ clock, store: { ...store, executions: { ...store.executions, create: failing } } });
  const scheduler = shaky.schedule();
  await pass(clock, 1, scheduler);
  expect(await process.started()).toEqual([]);
  clock.advance(20_000);
  await settle(scheduler);
  expect(await ticksOf(process)).toEqual(["00:01"]);
  expect(shaky.lines.map(({ message }) => message)).toContain("schedule failed");
});

test("a cursor whose workflow was never written is removed in the end", async () => {
  const { clock, process } = await scheduled();
  await process.store.schedules.put(
    {
      tenant: "default",
      workflowId: "gone",
      triggerId: "t",
      revision: 1,
      dueAt: START,
      signature: "",
      after: START,
      starting: [],
      waiting: [],
      last: null,
    },
    null,
  );
  const scheduler = process.schedule();
  await pass(clock, 1, scheduler);
  await pass(clock, 1, scheduler);
  expect((await process.store.schedules.get("default", "gone", "t")).cursor).toBeUndefined();
});

test("what nobody looked at while a schedule was off is not made up for either", async () => {
  const { clock, process } = await scheduled({ misfire: "all" });
  await process.workflows.update(ACTOR, "w", body([daily({ misfire: "all" }, { enabled: false })]));
  clock.advance(10 * MINUTE);
  await process.workflows.update(ACTOR, "w", body([daily({ misfire: "all" })]));
  await pass(clock, 1, process.schedule());
  expect(await ticksOf(process)).toEqual(["00:11"]);
});

test("another cron expression begins when it is written, also where the one before was due much later", async () => {
  const { clock, process } = await scheduled({ misfire: "all", cron: "0 * * * *" });
  const scheduler = process.schedule();
  await pass(clock, 30, scheduler);
  await process.workflows.update(ACTOR, "w", body([daily({ misfire: "all", cron: "*/5 * * * *" })]));
  await pass(clock, 6, scheduler);
  expect(await ticksOf(process)).toEqual(["00:35"]);
});

test("a process that saw an old cursor starts nothing by it", async () => {
  const { clock, process } = await scheduled({ overlap: "skip" });
  const { store } = process;
  const old = await store.schedules.due(START, 10);
  await pass(clock, 2, process.schedule());
  expect(await ticksOf(process)).toEqual(["00:01"]);
  const due = async () => ({ ...old, now: clock.now() });
  const late = await aProcess({ clock, store: { ...store, schedules: { ...store.schedules, due } } });
  clock.advance(MINUTE / 2);
  await settle(late.schedule());
  expect(await ticksOf(process)).toEqual(["00:01"]);
});

test("a schedule whose workflow cannot be read is left alone for five seconds", async () => {
  const { clock, process } = await scheduled();
  const { store } = process;
  let reads = 0;
  const get = async () => {
    reads += 1;
    throw new Error("not now");
  };
  const blind = await aProcess({ clock, store: { ...store, workflows: { ...store.workflows, get } } });
  const scheduler = blind.schedule();
  for (let second = 0; second < 5; second++) {
    await settle(scheduler);
    clock.advance(1_000);
  }
  expect(reads).toBe(1);
  await settle(scheduler);
  expect(reads).toBe(2);
});
