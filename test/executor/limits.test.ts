import { expect, test } from "vitest";
import { z } from "zod";
import type { Json } from "../../src/definition/json.ts";
import { SignalboxError } from "../../src/errors.ts";
import { emptyParts } from "../../src/executor/empty-commit.ts";
import { startSweeper } from "../../src/executor/sweeper.ts";
import { defineStep } from "../../src/steps/step.ts";
import { createEngine, type Engine, type EngineOptions } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

const TENANT = "default";
const NAME = { name: "${ input.name }" };
const refused = { code: "LIMIT_EXCEEDED" };

/** A step that waits until the test opens it, by the name in the input. */
function gates() {
  const open = new Map<string, (value: Json) => void>();
  const order: string[] = [];
  const type = defineStep({
    type: "gate",
    title: "Gate",
    description: "For tests",
    group: "Work",
    config: z.object({ name: z.string() }),
    run: ({ config: { name } }) => {
      order.push(name);
      return new Promise((resolve) => open.set(name, (value) => resolve({ kind: "done", output: value })));
    },
  });
  return {
    type,
    order,
    async open(name: string) {
      await expect.poll(() => open.has(name)).toBe(true);
      open.get(name)?.(null);
    },
    openAll() {
      for (const each of open.values()) each(null);
    },
  };
}

async function limited(concurrency: object, options: EngineOptions = {}) {
  const gate = gates();
  const clock = manualClock();
  const engine = await createEngine({ stepTypes: [gate.type], clock, ...options });
  await engine.define({
    id: "w",
    name: "w",
    limits: { concurrency: concurrency as { max: number } },
    steps: [{ id: "a", type: "gate", config: NAME }],
  });
  const start = async (name: string, more: object = {}) => (await engine.start("w", { name, ...more })).id;
  return { engine, gate, clock, start, [Symbol.asyncDispose]: async () => (gate.openAll(), await engine[Symbol.asyncDispose]()) };
}

const queuedOf = async (engine: Engine, id: string) => (await engine.executor.get(TENANT, id)).queued?.limit;
const untilQueued = async (engine: Engine, id: string, limit = "workflow:w") => await expect.poll(() => queuedOf(engine, id)).toBe(limit);
const untilStatus = async (engine: Engine, id: string, status: string) =>
  await expect.poll(async () => (await engine.executor.get(TENANT, id)).status).toBe(status);
const inUse = async (engine: Engine) => (await engine.executor.limits(TENANT, 10)).map((row) => [row.limit, row.inUse, row.queued]);

test("no more than its limit of a workflow are under way; who ends lets the next one in, the higher priority first, then the older", async () => {
  await using it = await limited({ max: 2 });
  const { engine, gate, clock } = it;
  const ids = [await it.start("a"), await it.start("b")];
  await expect.poll(() => gate.order.length).toBe(2);
  for (const [name, priority] of Object.entries({ c: 5, d: 5, e: 9 })) {
    clock.advance(10);
    ids.push((await engine.start("w", { name }, { priority })).id);
    await untilQueued(engine, ids.at(-1) ?? "");
  }
  expect(await engine.executor.get(TENANT, ids[2] ?? "")).toMatchObject({ status: "PENDING", startedAt: null, owner: null });
  expect(await engine.executor.limits(TENANT, 10)).toEqual([{ limit: "workflow:w", max: 2, inUse: 2, queued: 3 }]);
  for (const name of ["a", "e", "b", "c", "d"]) await gate.open(name);
  for (const id of ids) expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED" });
  expect(gate.order).toEqual(["a", "b", "e", "c", "d"]);
  expect(await inUse(engine)).toEqual([]);
  const events = await engine.events(ids[3] ?? "");
  expect(events.map(({ type }) => type).slice(0, 4)).toEqual([
    "execution.created",
    "execution.queued",
    "execution.claimed",
    "execution.started",
  ]);
  expect(events[2]?.data).toMatchObject({ takenFrom: null });
});

test("low priority is passed by for a while, not for ever: a minute outweighs a step", async () => {
  await using it = await limited({ max: 1 });
  const { engine, gate, clock } = it;
  await it.start("first");
  await expect.poll(() => gate.order.length).toBe(1);
  const old = (await engine.start("w", { name: "old" }, { priority: 5 })).id;
  await untilQueued(engine, old);
  clock.advance(60_001);
  const urgent = (await engine.start("w", { name: "urgent" }, { priority: 6 })).id;
  await untilQueued(engine, urgent);
  for (const name of ["first", "old", "urgent"]) await gate.open(name);
  await engine.settled(urgent);
  expect(gate.order).toEqual(["first", "old", "urgent"]);
});

test("each value of the key has a limit of its own", async () => {
  await using it = await limited({ max: 1, key: "input.customer" });
  const { engine, gate } = it;
  const [first, second, other] = [
    await it.start("a", { customer: "x" }),
    await it.start("b", { customer: "x" }),
    await it.start("c", { customer: "y" }),
  ];
  await expect.poll(() => gate.order.toSorted()).toEqual(["a", "c"]);
  await untilQueued(engine, second, "workflow:w:x");
  await expect(engine.start("w", { name: "d" })).rejects.toMatchObject({ code: "EXPRESSION_FAILED" });
  for (const name of ["a", "b", "c"]) await gate.open(name);
  for (const id of [first, second, other]) await engine.settled(id);
  expect(await inUse(engine)).toEqual([]);
});

test("reject refuses a start over the limit before anything is written, and takes the same start again as the first one", async () => {
  await using it = await limited({ max: 1, onLimit: "reject" });
  const { engine, gate } = it;
  const first = await engine.start("w", { name: "a" }, { idempotencyKey: "k" });
  await expect(engine.start("w", { name: "b" })).rejects.toMatchObject({ ...refused, details: { limit: "workflow:w", max: 1 } });
  expect((await engine.executor.list(TENANT, { pageSize: 10 })).items).toHaveLength(1);
  expect((await engine.start("w", { name: "a" }, { idempotencyKey: "k" })).id).toBe(first.id);
  await gate.open("a");
  await engine.settled(first.id);
  const next = await engine.start("w", { name: "c" });
  await gate.open("c");
  expect(await engine.settled(next.id)).toMatchObject({ status: "COMPLETED" });
});

test("of fifty starts at once under a limit of five that refuses, five are accepted", async () => {
  await using it = await limited({ max: 5, onLimit: "reject" });
  const outcomes = await Promise.allSettled(Array.from({ length: 50 }, (_, n) => it.start(`e${n}`)));
  expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(5);
  expect(await inUse(it.engine)).toEqual([["workflow:w", 5, 0]]);
});

test("who is cancelled, paused or out of time in line leaves it; a failed one gives its place back and takes one again to be retried", async () => {
  const gate = gates();
  const clock = manualClock();
  let fails = true;
  const shaky = defineStep({
    ...gate.type,
    type: "shaky",
    run() {
      if (fails) throw new SignalboxError("REQUEST_REFUSED");
      return { kind: "done", output: null };
    },
  });
  await using engine = await createEngine({ stepTypes: [gate.type, shaky], clock });
  await engine.define({
    id: "w",
    name: "w",
    limits: { concurrency: { max: 1 }, maxDuration: "1h" },
    steps: [
      { id: "a", type: "gate", config: NAME, nextSteps: ["b"] },
      { id: "b", type: "shaky", config: NAME },
    ],
  });
  const [first, cancelled, paused, late] = await Promise.all(
    ["a", "b", "c", "d"].map((name, n) => engine.start("w", { name }, { priority: 9 - n })),
  );
  await expect.poll(() => inUse(engine)).toEqual([["workflow:w", 1, 3]]);
  const actor = { id: "ann", tenant: TENANT };
  await engine.executor.cancel(actor, cancelled?.id ?? "");
  await engine.executor.pause(actor, paused?.id ?? "");
  expect(await inUse(engine)).toEqual([["workflow:w", 1, 1]]);
  await gate.open("a");
  expect(await engine.settled(first?.id ?? "")).toMatchObject({ status: "FAILED" });
  // The place goes to the one that still waits; the failed one waits for it, and says so.
  await expect.poll(() => gate.order).toEqual(["a", "d"]);
  await engine.executor.retry(actor, first?.id ?? "");
  await untilQueued(engine, first?.id ?? "");
  await engine.executor.resume(actor, paused?.id ?? "");
  await untilQueued(engine, paused?.id ?? "");
  expect(await engine.executor.get(TENANT, paused?.id ?? "")).toMatchObject({ status: "PENDING" });
  expect(await inUse(engine)).toEqual([["workflow:w", 1, 2]]);
  clock.advance(3_600_001);
  for (const each of [first, paused, late]) await untilStatus(engine, each?.id ?? "", "FAILED");
  fails = false;
  expect(await inUse(engine)).toEqual([]);
  gate.openAll();
});

test("a retried execution goes on when a place is free", async () => {
  let fails = true;
  const gate = gates();
  const shaky = defineStep({
    ...gate.type,
    type: "shaky",
    run() {
      if (fails) throw new SignalboxError("REQUEST_REFUSED");
      return { kind: "done", output: null };
    },
  });
  await using engine = await createEngine({ stepTypes: [gate.type, shaky] });
  await engine.define({
    id: "w",
    name: "w",
    limits: { concurrency: { max: 1 } },
    steps: [
      { id: "b", type: "shaky", config: NAME, nextSteps: ["a"] },
      { id: "a", type: "gate", config: NAME },
    ],
  });
  const failed = await engine.run("w", { name: "a" });
  fails = false;
  const other = await engine.start("w", { name: "b" });
  await expect.poll(() => gate.order).toEqual(["b"]);
  await engine.executor.retry({ id: "ann", tenant: TENANT }, failed.id);
  await untilQueued(engine, failed.id);
  await gate.open("b");
  await gate.open("a");
  expect(await engine.settled(other.id)).toMatchObject({ status: "COMPLETED" });
  expect(await engine.settled(failed.id)).toMatchObject({ status: "COMPLETED" });
  expect(await inUse(engine)).toEqual([]);
});

test("what the tenant's limit holds back waits for any of its executions, whatever the workflow; the limit of the workflow holds too", async () => {
  await using it = await limited({ max: 2 }, { tenantMax: 3 });
  const { engine, gate } = it;
  await engine.define({ id: "free", name: "free", steps: [{ id: "a", type: "gate", config: NAME }] });
  const ids = [await it.start("a"), await it.start("b"), (await engine.start("free", { name: "c" })).id];
  await expect.poll(() => gate.order.length).toBe(3);
  const [inTenantLine, inOwnLine] = [(await engine.start("free", { name: "d" })).id, await it.start("e")];
  await untilQueued(engine, inTenantLine, "tenant");
  await untilQueued(engine, inOwnLine);
  await gate.open("a");
  // The tenant's place is the older one's; the other has its workflow's now and moves on to the tenant's line.
  await expect.poll(() => gate.order.at(-1)).toBe("d");
  await untilQueued(engine, inOwnLine, "tenant");
  expect(await inUse(engine)).toEqual([
    ["tenant", 3, 1],
    ["workflow:w", 1, 0],
  ]);
  for (const name of ["b", "c", "d", "e"]) await gate.open(name);
  for (const id of [...ids, inTenantLine, inOwnLine]) expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED" });
  expect(await inUse(engine)).toEqual([]);
});

test("a place given back by a process that died before it told anybody is found by the sweeper", async () => {
  await using it = await limited({ max: 1 });
  const { engine, gate, clock } = it;
  const first = await it.start("a");
  const second = await it.start("b");
  await untilQueued(engine, second);
  // As if somebody else had ended it: this worker hears nothing of that.
  const handle = await engine.store.executions.get(TENANT, first);
  if (!handle) throw new Error("the first is there");
  const { execution, token } = handle;
  await engine.store.executions.commit({
    guard: { epoch: execution.epoch, lastSeq: execution.lastSeq, token },
    execution: {
      ...execution,
      epoch: execution.epoch + 1,
      owner: null,
      leaseUntil: null,
      wakeAt: null,
      status: "CANCELLED",
      permits: undefined,
    },
    ...emptyParts(),
    events: [],
    limits: { take: [], give: execution.permits ?? [], join: null, leave: null },
  });
  const sweeper = startSweeper({ store: engine.store, worker: engine.worker, clock, everyMs: 1_000, log: () => {} });
  clock.advance(10_000);
  // One look may be under way since before.
  await sweeper.sweep();
  await sweeper.sweep();
  await gate.open("b");
  expect(await engine.settled(second)).toMatchObject({ status: "COMPLETED" });
  sweeper.stop();
});

test("raising the limit in a new version helps who waits already", async () => {
  await using it = await limited({ max: 1 });
  const { engine, gate, clock } = it;
  await it.start("a");
  const waits = await it.start("b");
  await untilQueued(engine, waits);
  const { definition } = (await engine.store.workflows.get(TENANT, "w")) ?? {};
  await engine.workflows.update({ id: "ann", tenant: TENANT }, "w", {
    ...definition,
    steps: definition?.steps ?? [],
    name: "w",
    limits: { maxSteps: 9, concurrency: { max: 2, onLimit: "queue" } },
    variables: {},
    tags: [],
  });
  clock.advance(10_000);
  engine.worker.take({ tenant: TENANT, executionId: waits });
  await gate.open("b");
  expect(await engine.settled(waits)).toMatchObject({ status: "COMPLETED", workflowVersion: 1 });
});

test("starts beyond a tenant's rate are refused until a second's worth has come again", async () => {
  await using it = await limited({ max: 100 }, { startsPerSecond: 3 });
  for (const name of ["a", "b", "c"]) await it.start(name);
  await expect(it.start("d")).rejects.toMatchObject({ ...refused, details: { limit: "starts", retryInMs: 334 } });
  it.clock.advance(334);
  await it.start("e");
  await expect(it.start("f")).rejects.toMatchObject(refused);
});

test("a child does not wait for the place of the parent that waits for it; one of another workflow waits for its own", async () => {
  await using it = await limited({ max: 1 }, { tenantMax: 1 });
  const { engine, gate } = it;
  await engine.define({
    id: "outer",
    name: "outer",
    limits: { concurrency: { max: 1 } },
    steps: [
      { id: "s", type: "start", nextSteps: [{ to: "again", when: "input.depth > 0" }, "child"] },
      { id: "again", type: "workflow", config: { workflowId: "outer", input: { depth: "${ input.depth - 1 }" } } },
      { id: "child", type: "workflow", config: { workflowId: "w", input: { name: "x" } } },
    ],
  });
  const { id } = await engine.start("outer", { depth: 2 });
  await expect.poll(() => gate.order).toEqual(["x"]);
  expect(await inUse(engine)).toEqual([
    ["tenant", 1, 0],
    ["workflow:outer", 1, 0],
    ["workflow:w", 1, 0],
  ]);
  await gate.open("x");
  expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED" });
  expect(await inUse(engine)).toEqual([]);
});
