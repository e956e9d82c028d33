import { readFileSync } from "node:fs";
import { execFileSync } from "node:child_process";

const SAMPLE_EVERY_MS = 100;
const ticksPerSecond = Number(execFileSync("getconf", ["CLK_TCK"], { encoding: "utf8" }));

/** CPU time of a process with all its threads and the children it waited for, milliseconds. */
export function cpuMs(pid: number): number {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  // The name in parentheses may hold spaces; utime, stime, cutime, cstime are the 14th to 17th field.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  const ticks = [11, 12, 13, 14].reduce((sum, index) => sum + Number(fields[index]), 0);
  return (ticks / ticksPerSecond) * 1_000;
}

/** Proportional set size, megabytes; resident set size where the kernel does not tell it. */
export function memoryMb(pid: number): number {
  const kilobytes = field(`/proc/${pid}/smaps_rollup`, "Pss") ?? field(`/proc/${pid}/status`, "VmRSS") ?? Number.NaN;
  return kilobytes / 1_024;
}

/** Notes the most memory a process uses from now on. */
export function watchMemory(pid: number): { stop(): number } {
  let peak = memoryMb(pid);
  const timer = setInterval(() => (peak = Math.max(peak, memoryMb(pid))), SAMPLE_EVERY_MS);
  return {
    stop() {
      clearInterval(timer);
      return Math.max(peak, memoryMb(pid));
    },
  };
}

function field(file: string, name: string): number | undefined {
  try {
    const match = new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(readFileSync(file, "utf8"));
    return match ? Number(match[1]) : undefined;
  } catch {
    return undefined;
  }
}
