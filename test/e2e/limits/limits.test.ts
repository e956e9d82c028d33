import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { clientOf } from "../../api/support.ts";
import { freePort } from "../support/child.ts";
import { startMortalPods } from "../support/mortal-pods.ts";
import { startService } from "../support/service.ts";

const MAX = { narrow: 2, tenant: 3 };
const EXECUTIONS = 24;
/** While nothing can end, so that each hits what holds a place; then more, until all have ended. */
const KILLS = 2;
const KILL_AFTER_MS = 100;
const PATIENT = { timeout: 60_000 };

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "signalbox-limits-"));
});
afterAll(() => rm(folder, { recursive: true }));

test("while processes are killed no limit is exceeded, and afterwards every place is free", async () => {
  const ledger = path.join(folder, "ledger");
  await writeFile(ledger, "");
  const env = {
    SIGNALBOX_STEPS: path.join(import.meta.dirname, "steps"),
    SIGNALBOX_TENANT_LIMITS: JSON.stringify({ "*": { concurrency: MAX.tenant } }),
    SIGNALBOX_SWEEP_MS: "100",
  };
  const database = path.join(folder, "store.db");
  await using pods = await startMortalPods(2, async () => startService({ port: await freePort(), database, env }));
  const { call } = clientOf(pods.at(0).baseUrl);
  const steps = (name: string) => [{ id: "s", type: "busy", config: { ledger, name } }];
  const limits = { concurrency: { max: MAX.narrow } };
  expect((await call("POST /api/v1/workflows", { body: { id: "narrow", name: "narrow", steps: steps("narrow"), limits } })).status).toBe(
    201,
  );
  expect((await call("POST /api/v1/workflows", { body: { id: "wide", name: "wide", steps: steps("wide") } })).status).toBe(201);
  for (let n = 0; n < EXECUTIONS; n += 1)
    expect((await call(`POST /api/v1/workflows/${n % 2 ? "narrow" : "wide"}/execute`, { body: {} })).status).toBe(202);
  const lines = async () => (await readFile(ledger, "utf8")).split("\n").filter(Boolean);
  const begun = async () => new Set((await lines()).filter((line) => line.startsWith("+"))).size;
  await expect.poll(begun, PATIENT).toBe(MAX.tenant);
  pods.torment(() => Date.now() + KILL_AFTER_MS);
  await expect.poll(() => pods.kills.length, PATIENT).toBeGreaterThanOrEqual(KILLS);
  expect(await begun()).toBe(MAX.tenant);
  await writeFile(`${ledger}.released`, "");
  const ended = async () => new Set((await lines()).filter((line) => line.startsWith("-"))).size;
  await expect.poll(ended, PATIENT).toBe(EXECUTIONS);
  await pods.relent();
  const after = clientOf(pods.at(0).baseUrl);
  type Stats = { executionStats: { completed: number } };
  const completed = async () => {
    const both = await Promise.all(["narrow", "wide"].map((id) => after.call<Stats>(`GET /api/v1/workflows/${id}`)));
    return both.reduce((sum, { body }) => sum + body.executionStats.completed, 0);
  };
  await expect.poll(completed, PATIENT).toBe(EXECUTIONS);
  expect(mostAtOnce(await lines(), "narrow")).toBeLessThanOrEqual(MAX.narrow);
  expect(mostAtOnce(await lines(), "")).toBeLessThanOrEqual(MAX.tenant);
  expect((await after.call<{ items: unknown[] }>("GET /api/v1/limits")).body.items).toEqual([]);
});

/** Executions that had begun and not ended at one time. One that was killed is under way until its end: its place waits with it. */
function mostAtOnce(lines: readonly string[], workflow: string): number {
  const underWay = new Set<string>();
  let most = 0;
  for (const line of lines) {
    const [sign, name = "", id = ""] = line.split(" ");
    if (!name.startsWith(workflow)) continue;
    if (sign === "+") underWay.add(id);
    else underWay.delete(id);
    most = Math.max(most, underWay.size);
  }
  return most;
}
