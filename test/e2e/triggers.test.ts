import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { EventReceipt } from "../../src/definition/received-event.ts";
import { clientOf } from "../api/support.ts";
import { freePort, pause, type Child } from "./support/child.ts";
import { startService } from "./support/service.ts";

const TICKS = 12;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "signalbox-triggers-"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Started {
  createdAt: string;
  trigger: { event: { time: string } };
}

const steps = [{ id: "a", type: "transform", config: { set: {} } }];

/** Two services on one file, not started yet. */
async function twoServices(name: string): Promise<[() => Child, () => Child]> {
  const database = path.join(folder, `${name}.db`);
  const [first, second] = [await freePort(), await freePort()];
  return [() => startService({ port: first, database }), () => startService({ port: second, database })];
}

test("a schedule on two processes with one killed at ticks fires every tick once, and none early", async () => {
  const [startSteady, startShaky] = await twoServices("schedule");
  await using steady = startSteady();
  await steady.ready();
  const { call } = clientOf(steady.baseUrl);
  const triggers = [{ type: "schedule", config: { cron: "* * * * * *", timezone: "UTC", misfire: "all" } }];
  const written = Date.now();
  expect((await call("POST /api/v1/workflows", { body: { id: "w", name: "w", triggers, steps } })).status).toBe(201);
  const until = written + TICKS * 1_000;
  let kills = 0;
  for (; Date.now() < until; kills += 1) {
    await using shaky = startShaky();
    await shaky.ready();
    // At a tick, a little later each time: before its decision, between decision and start, after both.
    await pause(1_000 - (Date.now() % 1_000) + kills * 4);
    await shaky.kill();
  }
  expect(kills).toBeGreaterThan(0);
  const expected = Array.from({ length: TICKS - 1 }, (_, n) => new Date((Math.floor(written / 1_000) + 2 + n) * 1_000).toISOString());
  // What died with its process is taken up 15 s later, and the ticks behind it with it.
  let started: Started[] = [];
  for (const end = Date.now() + 30_000; Date.now() < end; await pause(250)) {
    started = (await call<{ items: Started[] }>("GET /api/v1/executions?workflowId=w&pageSize=200")).body.items;
    const times = new Set(started.map(timeOf));
    if (expected.every((tick) => times.has(tick))) break;
  }
  const times = started.map(timeOf);
  expect(times).toEqual(expect.arrayContaining(expected));
  expect(new Set(times).size).toBe(times.length);
  expect(started.filter(({ createdAt, trigger }) => createdAt < trigger.event.time)).toEqual([]);
});

test("the same event twenty times at once to two processes is one execution", async () => {
  const [startFirst, startSecond] = await twoServices("event");
  await using first = startFirst();
  await first.ready();
  await using second = startSecond();
  await second.ready();
  const [one, two] = [clientOf(first.baseUrl), clientOf(second.baseUrl)];
  const triggers = [{ type: "event", config: { eventType: "shop.paid" } }];
  expect((await one.call("POST /api/v1/workflows", { body: { id: "w", name: "w", triggers, steps } })).status).toBe(201);
  const body = { specversion: "1.0", id: "1", source: "/shop", type: "shop.paid" };
  const receipts = await Promise.all(
    Array.from({ length: 20 }, (_, n) => (n % 2 ? one : two).call<{ receipts: EventReceipt[] }>("POST /api/v1/events", { body })),
  );
  const statuses = receipts.flatMap((receipt) => receipt.body.receipts[0]?.outcomes.map(({ status }) => status));
  expect(statuses.toSorted()).toEqual([...Array.from({ length: 19 }, () => "DUPLICATE"), "STARTED"]);
  expect((await one.call<{ items: unknown[] }>("GET /api/v1/executions?workflowId=w")).body.items).toHaveLength(1);
});

function timeOf({ trigger }: Started): string {
  return trigger.event.time;
}
