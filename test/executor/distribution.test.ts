import { expect, test } from "vitest";
import { z } from "zod";
import { WorkflowInput } from "../../src/definition/workflow.ts";
import { createBacklog } from "../../src/executor/backlog.ts";
import { startSweeper } from "../../src/executor/sweeper.ts";
import type { WorkHint } from "../../src/ports/queue.ts";
import { defineStep } from "../../src/steps/step.ts";
import { createEngine, testInMemory } from "../support/engine.ts";
import { manualClock } from "../support/manual-clock.ts";

const TENANT = "default";

/** A step that waits until the test opens the next one; tells who came when. */
function gates() {
  const waiting: (() => void)[] = [];
  const order: string[] = [];
  const type = defineStep({
    type: "gate",
    title: "Gate",
    description: "For tests",
    group: "Work",
    config: z.object({ name: z.string() }),
    run({ config: { name } }) {
      order.push(name);
      return new Promise((resolve) => waiting.push(() => resolve({ kind: "done", output: null })));
    },
  });
  return { type, order, openNext: () => waiting.shift()?.() };
}

const workflow = { id: "w", name: "w", steps: [{ id: "a", type: "gate", config: { name: "${ input.name }" } }] };

test("a worker without a free slot goes on with the higher priority, then with the older", async () => {
  const { type, order, openNext } = gates();
  const clock = manualClock();
  await using engine = await createEngine({ stepTypes: [type], concurrency: 1, clock });
  await engine.define(workflow);
  await engine.start("w", { name: "first" });
  await expect.poll(() => order.length).toBe(1);
  const ids: string[] = [];
  for (const [name, priority] of Object.entries({ low: 0, usual: 5, later: 5, high: 9 })) {
    clock.advance(1);
    ids.push((await engine.start("w", { name }, { priority })).id);
  }
  await expect.poll(() => engine.worker.queued).toBe(4);
  for (let n = 1; n <= 5; n += 1) {
    openNext();
    await expect.poll(() => order.length).toBe(Math.min(n + 1, 5));
  }
  expect(order).toEqual(["first", "high", "usual", "later", "low"]);
  for (const id of ids) expect(await engine.settled(id)).toMatchObject({ status: "COMPLETED" });
});

test("a tenant with one execution does not wait for the forty that another one started before", async () => {
  const { type, order, openNext } = gates();
  await using engine = await createEngine({ stepTypes: [type], concurrency: 2 });
  await engine.define(workflow);
  const quiet = { id: "ann", tenant: "quiet" };
  await engine.workflows.create(quiet, WorkflowInput.parse(workflow));
  for (let n = 0; n < 40; n += 1) await engine.start("w", { name: "noisy" }, { priority: 9 });
  await expect.poll(() => order.length).toBe(2);
  await engine.executor.start(quiet, { workflowId: "w", input: { name: "quiet" }, priority: 0 });
  await expect.poll(() => engine.worker.queued).toBe(39);
  openNext();
  await expect.poll(() => order.length).toBe(3);
  expect(order[2]).toBe("quiet");
  while (engine.worker.running > 0) {
    openNext();
    await new Promise((resolve) => setImmediate(resolve));
  }
});

test("of a flood a worker keeps a thousand hints and drops the last of the tenant with the most; 256 keep their record", () => {
  const backlog = createBacklog({ runningOf: () => 0 });
  const handle = { execution: { startedAt: null, createdAt: "2026-01-01T00:00:00Z", priority: 5 }, token: null } as WorkHint["handle"];
  const put = (tenant: string, n: number) => backlog.put({ tenant, executionId: `${tenant}-${n}`, rank: n, handle }, 0);
  for (let n = 0; n < 3; n += 1) put("quiet", 10_000 + n);
  for (let n = 0; n < 2_000; n += 1) put("noisy", n);
  expect(backlog.size).toBe(1_000);
  const kept: WorkHint[] = [];
  for (let next = backlog.next(); next; next = backlog.next()) kept.push(next);
  expect(kept.filter(({ tenant }) => tenant === "quiet")).toHaveLength(3);
  expect(kept.slice(0, 997).map(({ rank }) => rank)).toEqual(Array.from({ length: 997 }, (_, n) => n));
  expect(kept.filter((hint) => hint.handle !== undefined)).toHaveLength(256);
  expect(backlog.size).toBe(0);
});

test("a hint that comes twice keeps its place, and its record is read again", () => {
  const backlog = createBacklog({ runningOf: () => 0 });
  const handle = { execution: { startedAt: null, createdAt: "2026-01-01T00:00:00Z", priority: 5 }, token: null } as WorkHint["handle"];
  backlog.put({ tenant: "a", executionId: "x", rank: 1, handle }, 0);
  backlog.put({ tenant: "a", executionId: "y", rank: 2 }, 0);
  backlog.put({ tenant: "a", executionId: "x", rank: 3 }, 0);
  expect(backlog.size).toBe(2);
  expect(backlog.next()).toEqual({ tenant: "a", executionId: "x", rank: 3, handle: undefined });
});

test("more than a sweep finds at once is found as soon as there is room, without waiting for the next sweep", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ clock, consume: false });
  await engine.define({ id: "w", name: "w", steps: [{ id: "a", type: "transform", config: { set: {} } }] });
  for (let n = 0; n < 300; n += 1) await engine.start("w");
  clock.advance(2_000);
  const sweeper = startSweeper({ store: engine.store, worker: engine.worker, clock, everyMs: 3_600_000, log: () => {} });
  const completed = async () => {
    clock.advance(10);
    return (await engine.store.executions.stats(TENANT, ["w"])).get("w")?.completed;
  };
  await expect.poll(completed, { timeout: 10_000 }).toBe(300);
  sweeper.stop();
});

test("an execution whose step type this process does not know is left to others, not tried without a pause, and not failed", async () => {
  const { type, order, openNext } = gates();
  const clock = manualClock();
  await using able = await createEngine({ stepTypes: [type], clock, consume: false });
  await using unable = await createEngine({ store: able.store, clock, consume: false });
  await able.define(workflow);
  const { id } = await able.start("w", { name: "x" });
  let reads = 0;
  const { get } = able.store.executions;
  able.store.executions.get = async (...of) => {
    reads += 1;
    return await get(...of);
  };
  const hint = { tenant: TENANT, executionId: id };
  for (let n = 0; n < 100; n += 1) {
    unable.worker.take(hint);
    await unable.worker.idle();
  }
  expect(reads).toBe(1);
  expect(await able.executor.get(TENANT, id)).toMatchObject({ status: "PENDING", epoch: 0, lastSeq: 1 });
  // Nobody took it for a minute: it makes way for what others can run, and is looked at again some minutes later.
  clock.advance(62_000);
  unable.worker.take(hint);
  await unable.worker.idle();
  const putOff = await able.executor.get(TENANT, id);
  expect(putOff).toMatchObject({ status: "PENDING", owner: null, idleClaims: 0, lastSeq: 1 });
  expect((putOff.wakeAt ?? 0) - clock.now()).toBeGreaterThan(200_000);
  able.worker.take(hint);
  await expect.poll(() => order).toEqual(["x"]);
  openNext();
  expect(await able.settled(id)).toMatchObject({ status: "COMPLETED" });
});

testInMemory("sweeps read nothing of what a worker has in its backlog", async () => {
  const { type, order, openNext } = gates();
  const clock = manualClock();
  await using engine = await createEngine({ stepTypes: [type], concurrency: 1, clock });
  await engine.define(workflow);
  for (let n = 0; n < 4; n += 1) await engine.start("w", { name: "x" });
  await expect.poll(() => [order.length, engine.worker.queued]).toEqual([1, 3]);
  let reads = 0;
  const { get, due } = engine.store.executions;
  engine.store.executions.get = async (...of) => {
    reads += 1;
    return await get(...of);
  };
  // Nobody claimed three of them for so long that every worker takes them up.
  clock.advance(2_000);
  const sweeper = startSweeper({ store: engine.store, worker: engine.worker, clock, everyMs: 3_600_000, log: () => {} });
  for (let n = 0; n < 3; n += 1) await sweeper.sweep();
  sweeper.stop();
  const isDue = (await due(clock.now(), 10)).length;
  for (let n = 1; n <= 4; n += 1) {
    openNext();
    await expect.poll(() => order.length).toBe(Math.min(n + 1, 4));
  }
  await engine.worker.idle();
  expect((await engine.store.executions.stats(TENANT, ["w"])).get("w")?.completed).toBe(4);
  expect({ isDue, reads }).toEqual({ isDue: 3, reads: 0 });
});
