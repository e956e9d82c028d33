import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ExecutionEvent } from "../../../src/definition/event.ts";
import { freePort, pause, type Child } from "../../e2e/support/child.ts";
import { startService } from "../../e2e/support/service.ts";
import { startLedger } from "./ledger.ts";

const DRAIN_MS = 1_500;
const LINGER_MS = 1_000;
const CLOSE_MS = 3_000;

let folder = "";
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "signalbox-stop-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

async function start(env: Record<string, string> = {}): Promise<Child> {
  const settings = {
    SIGNALBOX_STEPS: join(import.meta.dirname, "steps"),
    SIGNALBOX_DRAIN_MS: String(DRAIN_MS),
    SIGNALBOX_LINGER_MS: String(LINGER_MS),
  };
  return startService({ port: await freePort(), database: join(folder, "store.db"), env: { ...settings, ...env } });
}

async function call<T>(url: string, body?: unknown): Promise<T> {
  const init = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  return (await (await fetch(url, init)).json()) as T;
}

function slowWorkflow(ledger: string) {
  return {
    id: "slow",
    name: "Slow",
    status: "active",
    steps: [
      { id: "before", type: "slow", config: { ledger }, nextSteps: ["work"] },
      { id: "work", type: "slow", config: { ledger }, nextSteps: ["finish"] },
      { id: "finish", type: "end" },
    ],
  };
}

test("SIGTERM with a step of 60 s: handed over within the grace period, taken up at once, ended once", async () => {
  // The first step is quick; the second takes a minute, and as long as it takes another process the second time.
  await using ledger = await startLedger((index) => [0, 60_000, 50][index] ?? 0);
  await using first = await start();
  await first.ready();
  await call(`${first.baseUrl}/api/v1/workflows`, slowWorkflow(ledger.url));
  const { id } = await call<{ id: string }>(`${first.baseUrl}/api/v1/workflows/slow/execute`, {});
  await ledger.hasBegun(2);
  const signalledAt = Date.now();
  await first.stop();
  expect(first.ended).toEqual({ code: 0, signal: null });
  expect(Date.now() - signalledAt).toBeLessThan(LINGER_MS + DRAIN_MS + CLOSE_MS);

  await using second = await start();
  await second.ready();
  const readyAt = Date.now();
  const execution = await call<{ status: string }>(`${second.baseUrl}/api/v1/executions/${id}`);
  expect(["RUNNING", "COMPLETED"]).toContain(execution.status);
  await ledger.hasBegun(3);
  // The lease of 15 s was given back, not waited for.
  expect(Date.now() - readyAt).toBeLessThan(5_000);
  const events = await endOf(second, id);
  expect(ledger.begun).toEqual([`${id}/before/1`, `${id}/work/1`, `${id}/work/1`]);
  const completed = events.filter(({ type }) => type === "step.completed").map(({ stepId }) => stepId);
  expect(completed).toEqual(["before", "work", "finish"]);
  expect(events.filter(({ type }) => type === "execution.completed")).toHaveLength(1);
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1));
});

test("readiness turns red before anything else, and requests that still come are served", async () => {
  await using service = await start();
  await service.ready();
  const stopped = service.stop();
  const seen: string[] = [];
  while (!service.ended) {
    // One after the other: a process that does not serve any more refuses both.
    const ready = await statusOf(`${service.baseUrl}/readyz`);
    const served = await statusOf(`${service.baseUrl}/api/v1/workflows`);
    seen.push(`${ready}/${served}`);
    await pause(50);
  }
  await stopped;
  const red = seen.findIndex((line) => line.startsWith("503"));
  expect(red).toBeGreaterThanOrEqual(0);
  expect(red).toBeLessThan(4);
  // From red on: served until it is gone, never an error of its own.
  const afterwards = seen.slice(red);
  expect(afterwards.filter((line) => line === "503/200").length).toBeGreaterThan(8);
  expect(afterwards.filter((line) => !["503/200", "0/0", "503/0"].includes(line))).toEqual([]);
});

test("liveness stays green while the store is away; readiness says why it is red", async () => {
  // Nobody listens there: as when Firestore is down while pods start.
  const env = {
    SIGNALBOX_STORE: "firestore:demo-nowhere",
    FIRESTORE_EMULATOR_HOST: `127.0.0.1:${await freePort()}`,
    METADATA_SERVER_DETECTION: "none",
  };
  await using service = await start({ ...env, SIGNALBOX_LOG: "silent" });
  await untilUp(service);
  // Each look takes the 2 s that readiness gives the store.
  for (let look = 0; look < 2; look++) {
    expect(await statusOf(`${service.baseUrl}/livez`)).toBe(200);
    const response = await fetch(`${service.baseUrl}/readyz`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ status: "not_ready", store: "unavailable" });
  }
  expect(service.ended).toBeUndefined();
  await service.stop();
  expect(service.ended).toEqual({ code: 0, signal: null });
});

async function endOf(service: Child, id: string): Promise<ExecutionEvent[]> {
  for (;;) {
    const { items } = await call<{ items: ExecutionEvent[] }>(`${service.baseUrl}/api/v1/executions/${id}/events?limit=1000`);
    if (items.some(({ type }) => type === "execution.completed" || type === "execution.failed")) return items;
    await pause(50);
  }
}

async function untilUp(service: Child): Promise<void> {
  while ((await statusOf(`${service.baseUrl}/livez`)) !== 200) {
    if (service.ended) throw new Error(`It ended: ${JSON.stringify(service.ended)} ${service.output}`);
    await pause(100);
  }
}

/** HTTP status; 0 where nobody answers. */
async function statusOf(url: string): Promise<number> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_900) });
    await response.arrayBuffer();
    return response.status;
  } catch {
    return 0;
  }
}
