import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createApp, type App } from "../../src/app.ts";
import { loadConfig } from "../../src/config.ts";
import { LOCAL_PRINCIPAL } from "../../src/definition/access.ts";
import { WorkflowInput } from "../../src/definition/workflow.ts";
import { systemClock, type Clock } from "../../src/ports/clock.ts";
import { emulated, newProject } from "./projects.ts";

const HOUR_MS = 3_600_000;
const PATIENT = { timeout: 20_000, interval: 50 };
const { tenant } = LOCAL_PRINCIPAL;

/** A service on Firestore whose machine has another time than everybody else. */
async function start(project: string, offMs: number): Promise<App> {
  const loaded = loadConfig({
    SIGNALBOX_STORE: `firestore:${project}`,
    SIGNALBOX_ROLE: "worker",
    SIGNALBOX_QUEUE: "local",
    SIGNALBOX_EVENTS: "off",
    SIGNALBOX_SWEEP_MS: "200",
    SIGNALBOX_LOG: "silent",
  });
  if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + offMs };
  return await createApp({ config: loaded.config, clock });
}

async function execute(app: App, id: string, duration: string): Promise<string> {
  const steps = [{ id: "wait", type: "delay", config: { for: duration } }];
  await app.workflows.create(LOCAL_PRINCIPAL, WorkflowInput.parse({ id, name: id, steps }));
  const { execution } = await app.executor.start(LOCAL_PRINCIPAL, { workflowId: id, input: {} });
  return execution.id;
}

describe.runIf(emulated).each([
  ["ahead", HOUR_MS],
  ["behind", -HOUR_MS],
])("a process whose clock is an hour %s", (_, offMs) => {
  let project: string;
  let right: App;
  let wrong: App | undefined;
  beforeEach(async () => {
    project = newProject();
    right = await start(project, 0);
  });
  afterEach(async () => {
    await Promise.all([right.close(), wrong?.close()]);
  });

  const find = async (app: App, id: string) => (await app.store.executions.get(tenant, id))?.execution;

  test("leaves alone what is not due, and times what it starts as others do", async () => {
    const resting = await execute(right, "long", "30m");
    await expect.poll(async () => (await find(right, resting))?.wakeAt ?? 0, PATIENT).toBeGreaterThan(Date.now() + 60_000);
    const before = await find(right, resting);
    const other = (wrong = await start(project, offMs));
    // Its first look tells it the time; the second one would take what it thinks is due.
    await other.sweeper?.sweep();
    await other.sweeper?.sweep();
    await other.worker?.idle();
    expect(await find(right, resting)).toEqual(before);
    await right.close();
    const asked = Date.now();
    const short = await execute(other, "short", "1s");
    await expect.poll(async () => (await find(other, short))?.status, PATIENT).toBe("COMPLETED");
    const ended = await find(other, short);
    expect(Math.abs(Date.parse(ended?.createdAt ?? "") - asked)).toBeLessThan(2_000);
    expect(Date.parse(ended?.endedAt ?? "") - Date.parse(ended?.createdAt ?? "")).toBeGreaterThanOrEqual(1_000);
  });
});
