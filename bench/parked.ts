import { setTimeout as pause } from "node:timers/promises";
import type { Pool } from "undici";
import { getJson, postJson } from "./http.ts";
import { short } from "./measure/figures.ts";
import { memoryMb } from "./measure/process.ts";

/** Parts in which the executions are parked, so that the growth per execution shows. */
const PARTS = 5;
/** Rest before memory is read, milliseconds: what is only garbage should be gone. */
const REST_MS = 3_000;
const LANES = 32;
const PAGE = 200;
const MINUTE_MS = 60_000;

interface Stats {
  executionStats: { total: number; completed: number; pending: number };
}

/**
 * Parks executions, half of them on an approval and half on a delay that ends for all at one moment; tells the memory of the service
 * on the way and when all are parked; then answers every approval, and waits until the last one has ended.
 */
export async function parkMany(http: Pool, pid: number, count: number): Promise<string> {
  const until = Date.now() + MINUTE_MS + count * 15;
  const done = { id: "done", type: "end" };
  await postJson(http, "/api/v1/workflows", {
    id: "asks",
    name: "Asks",
    steps: [{ id: "ask", type: "approval", config: { title: "Go on?" }, nextSteps: ["done"] }, done],
  });
  await postJson(http, "/api/v1/workflows", {
    id: "sleeps",
    name: "Sleeps",
    steps: [{ id: "sleep", type: "delay", config: { until: new Date(until).toISOString() }, nextSteps: ["done"] }, done],
  });
  const rows = [row(0, memoryMb(pid))];
  const each = Math.ceil(count / PARTS / 2) * 2;
  for (let part = 1; part <= PARTS; part += 1) {
    await inLanes(each, async (n) => {
      await postJson(http, `/api/v1/workflows/${n % 2 === 0 ? "asks" : "sleeps"}/execute`, {});
    });
    await untilTrue(async () => (await statsOf(http, "asks")).pending + (await statsOf(http, "sleeps")).pending === 0);
    await pause(REST_MS);
    rows.push(row(part * each, memoryMb(pid)));
  }
  await pause(REST_MS * 2);
  rows.push(`| ${PARTS * each}, ${(REST_MS * 3) / 1_000} s later | ${short(memoryMb(pid))} |`);
  const answered = performance.now();
  await answerAll(http);
  const half = (PARTS * each) / 2;
  await untilTrue(async () => (await statsOf(http, "asks")).completed === half);
  const answering = (performance.now() - answered) / 1_000;
  await pause(Math.max(0, until - Date.now()));
  const woke = performance.now();
  await untilTrue(async () => (await statsOf(http, "sleeps")).completed === half);
  const waking = (performance.now() - woke) / 1_000;
  return [
    `\nParked executions, half on an approval, half on a delay; memory after ${REST_MS / 1_000} s of rest:\n`,
    "| parked | memory, MB (PSS) |",
    "|---|---|",
    ...rows,
    `\nAll ${half} approvals were answered and their executions over in ${short(answering)} s; all ${half} delays, due at one moment, ended in ${short(waking)} s.`,
  ].join("\n");
}

function row(parked: number, megabytes: number): string {
  return `| ${parked} | ${short(megabytes)} |`;
}

async function answerAll(http: Pool): Promise<void> {
  for (;;) {
    const page = (await getJson(http, `/api/v1/approvals?status=PENDING&pageSize=${PAGE}`)) as { items: { id: string }[] };
    if (page.items.length === 0) return;
    await inLanes(page.items.length, async (n) => {
      await postJson(http, `/api/v1/approvals/${page.items[n]?.id ?? ""}/decide`, { decision: "approve" });
    });
  }
}

async function statsOf(http: Pool, workflow: string): Promise<Stats["executionStats"]> {
  return ((await getJson(http, `/api/v1/workflows/${workflow}`)) as Stats).executionStats;
}

async function inLanes(count: number, work: (n: number) => Promise<void>): Promise<void> {
  let next = 0;
  async function lane(): Promise<void> {
    while (next < count) await work(next++);
  }
  await Promise.all(Array.from({ length: LANES }, lane));
}

async function untilTrue(isSo: () => Promise<boolean>): Promise<void> {
  for (const end = Date.now() + 10 * MINUTE_MS; Date.now() < end; await pause(100)) if (await isSo()) return;
  throw new Error("It did not come to that within ten minutes.");
}
