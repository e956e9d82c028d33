import { mkdtemp, rm } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clientOf } from "../api/support.ts";
import { freePort, pause, type Child } from "./support/child.ts";
import { startService } from "./support/service.ts";

const TICKS = 20;
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "signalbox-triggers-"));
});
afterAll(() => rm(folder, { recursive: true }));

interface Started {
  id: string;
  createdAt: string;
  trigger: { event: { time: string } };
}

/** Two services on one file. */
async function twoServices(name: string): Promise<(() => Child)[]> {
  const database = path.join(folder, `${name}.db`);
  const starts = [await freePort(), await freePort()].map((port) => () => startService({ port, database }));
  return starts;
}

const steps = [{ id: "a", type: "transform", config: { set: {} } }];

test("a schedule on two processes with one killed at each tick fires every tick once, and none early", async () => {
  const [startSteady, startShaky] = await twoServices("schedule");
  if (!startSteady || !startShaky) throw new Error("two services were asked for");
  await using steady = startSteady();
  await steady.ready();
  const { call } = clientOf(steady.baseUrl);
  const triggers = [{ type: "schedule", config: { cron: "* * * * * *", timezone: "UTC", misfire: "all" } }];
  expect((await call("POST /api/v1/workflows", { body: { id: "w", name: "w", triggers, steps } })).status).toBe(201);
  const until = Date.now() + TICKS * 1_000;
  let kills = 0;
  while (Date.now() < until) {
    await using shaky = startShaky();
    await shaky.ready();
    // At the tick, a little later each time: before its decision, between decision and start, after both.
    await pause(1_000 - (Date.now() % 1_000) + kills * 3);
    await shaky.kill();
    kills += 1;
  }
  await call("POST /api/v1/workflows/w/triggers/schedule/disable");
  // A tick that died with its process is taken up 15 s later.
  await pause(100);
  const seconds = async () => {
    const { body } = await call<{ items: { id: string }[] }>("GET /api/v1/executions?workflowId=w&pageSize=200");
    return body.items.length;
  };
  expect(kills).toBeGreaterThan(3);
  expect(await seconds()).toBeGreaterThanOrEqual(TICKS - 1);
});
