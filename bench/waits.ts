import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import path from "node:path";
import type { Pool } from "undici";
import { freePort, ROOT } from "../test/e2e/support/child.ts";
import { startService } from "../test/e2e/support/service.ts";
import { connect, getJson, postJson } from "./http.ts";
import { percentile, short } from "./measure/figures.ts";
import { memoryMb, watchMemory } from "./measure/process.ts";
import { parkMany } from "./parked.ts";

/** How long the slow branch takes, milliseconds. */
const SLOW_MS = 2_000;
const FAST_MS = 10;
const PAIRS = 10;
const ITEMS = 1_000;
const LANES = 20;

// npm run bench:waits: what waits and what is slow, beside what is not. Figures only, nothing is asserted but that all of it ends.
const count = Number(process.argv[2] ?? 5_000);
const folder = mkdtempSync(path.join(dataFolder(), "run-"));
const port = await freePort();
const child = startService({
  port,
  database: path.join(folder, "signalbox.db"),
  env: { SIGNALBOX_LOG: "silent", SIGNALBOX_STEPS: path.join(ROOT, "bench", "steps"), BENCH_LEDGER: path.join(folder, "ledger.txt") },
});
try {
  await child.ready();
  const http = connect(child.baseUrl);
  console.log(await branches(http));
  console.log(await items(http, child.pid));
  console.log(await parkMany(http, child.pid, count));
  await http.close();
} finally {
  await child.stop();
  rmSync(folder, { recursive: true, force: true });
}

/** From the start of the execution until the second step of the fast branch is done, alone and beside a slow sibling. */
async function branches(http: Pool): Promise<string> {
  const work = (id: string, ms: number, next: string) => ({ id, type: "work", config: { ms, run: 0 }, nextSteps: [next] });
  const workflow = (id: string, names: readonly string[]) => ({
    id,
    name: id,
    steps: [
      { id: "fan", type: "parallel", config: { branches: names.map((name) => ({ name, start: name })), join: "together" } },
      ...(names.includes("slow") ? [work("slow", SLOW_MS, "together")] : []),
      work("fast", FAST_MS, "next"),
      work("next", FAST_MS, "together"),
      { id: "together", type: "merge", config: { of: "${ steps.fan.output.results }" } },
    ],
  });
  await postJson(http, "/api/v1/workflows", workflow("alone", ["fast"]));
  await postJson(http, "/api/v1/workflows", workflow("beside", ["fast", "slow"]));
  const took: Record<"alone" | "beside", number[]> = { alone: [], beside: [] };
  for (let pair = 0; pair <= PAIRS; pair += 1) {
    for (const id of ["alone", "beside"] as const) {
      const { id: execution } = (await postJson(http, `/api/v1/workflows/${id}/execute?wait=10s`, {})) as { id: string };
      const { items: steps } = (await getJson(http, `/api/v1/executions/${execution}/steps`)) as {
        items: { stepId: string; startedAt: string; endedAt: string }[];
      };
      const at = (step: string, field: "startedAt" | "endedAt") => Date.parse(steps.find(({ stepId }) => stepId === step)?.[field] ?? "");
      // The first pair compiles the code.
      if (pair > 0) took[id].push(at("next", "endedAt") - at("fan", "startedAt"));
    }
  }
  const [alone, beside] = [percentile(took.alone, 0.5), percentile(took.beside, 0.5)];
  return [
    `\nTwo steps of ${FAST_MS} ms in a branch, until the second one is done; medians of ${PAIRS}:\n`,
    "| alone, ms | beside a sibling of 2 s, ms | more, ms |",
    "|---|---|---|",
    `| ${short(alone)} | ${short(beside)} | ${short(beside - alone)} |`,
  ].join("\n");
}

/** Memory while a loop takes many items at once. */
async function items(http: Pool, pid: number): Promise<string> {
  await postJson(http, "/api/v1/workflows", {
    id: "items",
    name: "Items",
    steps: [
      {
        id: "each",
        type: "loop",
        config: { loopType: "for_each", over: "${ input.items }", maxIterations: ITEMS, concurrency: LANES, body: "one" },
        nextSteps: [],
      },
      { id: "one", type: "work", config: { ms: FAST_MS, run: "${ item.n }" } },
    ],
    limits: { maxSteps: ITEMS * 2 },
  });
  const before = memoryMb(pid);
  const memory = watchMemory(pid);
  const startedAt = performance.now();
  const input = { items: Array.from({ length: ITEMS }, (_, n) => ({ n, text: "x".repeat(200) })) };
  const { status } = (await postJson(http, "/api/v1/workflows/items/execute?wait=60s", { input })) as { status: string };
  const seconds = (performance.now() - startedAt) / 1_000;
  if (status !== "COMPLETED") throw new Error(`The loop is ${status} after ${short(seconds)} s.`);
  return [
    `\nA loop over ${ITEMS} items of 200 bytes, ${LANES} at once, ${FAST_MS} ms each:\n`,
    "| s | memory before, MB (PSS) | peak, MB |",
    "|---|---|---|",
    `| ${short(seconds)} | ${short(before)} | ${short(memory.stop())} |`,
  ].join("\n");
}

function dataFolder(): string {
  const data = path.resolve("data/bench");
  mkdirSync(data, { recursive: true });
  return data;
}
