import { appendFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";

/** The work of a step: takes its time and then writes down, outside of every engine, that it is done. */
export async function finishWork(run: string, step: string, ms: number): Promise<void> {
  await pause(ms);
  appendFileSync(process.env["BENCH_LEDGER"] ?? "", `${Date.now()} ${run} ${step}\n`);
}
