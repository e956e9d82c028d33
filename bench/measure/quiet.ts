import os from "node:os";
import { setTimeout as pause } from "node:timers/promises";
import type { Figures } from "./figures.ts";
import { cpuMs } from "./process.ts";

/** Part of the CPUs others may use in a measurement that counts as undisturbed. */
const QUIET_SHARE = 0.15;
const TRIES = 3;
const LOOK_MS = 1_000;
const LONGEST_WAIT_MS = 20_000;
const OTHERS = "CPU used by others, %";

/**
 * Measures when others leave the CPUs alone: again where they did not, and of all tries the one that was disturbed least counts.
 * `helpers` are processes that work for what is measured, as an emulator does: they are not others.
 */
export async function undisturbed(helpers: readonly number[], measure: () => Promise<Figures>): Promise<Figures> {
  const ours = [process.pid, ...helpers];
  let best: { figures: Figures; share: number } | undefined;
  for (let attempt = 1; attempt <= TRIES && (best === undefined || best.share > QUIET_SHARE); attempt += 1) {
    await untilQuiet(ours);
    const read = startReading(ours);
    const figures = await measure();
    const share = read();
    if (best === undefined || share < best.share) best = { figures, share };
  }
  return { ...best?.figures, [OTHERS]: Math.round((best?.share ?? 1) * 100) };
}

async function untilQuiet(ours: readonly number[]): Promise<void> {
  for (const until = Date.now() + LONGEST_WAIT_MS; Date.now() < until;) {
    const read = startReading(ours);
    await pause(LOOK_MS);
    if (read() <= QUIET_SHARE) return;
  }
}

/** Returns a reading of the share of the CPUs that others used since: what was busy and neither ours nor processes we ended. */
function startReading(ours: readonly number[]): () => number {
  const before = { ...cpuTimes(), own: cpuOf(ours) };
  return () => {
    const after = { ...cpuTimes(), own: cpuOf(ours) };
    const foreign = after.busy - before.busy - (after.own - before.own);
    return Math.max(0, foreign / (after.all - before.all));
  };
}

function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
}

function cpuTimes(): { busy: number; all: number } {
  const times = os.cpus().map(({ times: { user, nice, sys, irq, idle } }) => ({ busy: user + nice + sys + irq, idle }));
  const busy = times.reduce((sum, cpu) => sum + cpu.busy, 0);
  return { busy, all: busy + times.reduce((sum, cpu) => sum + cpu.idle, 0) };
}
