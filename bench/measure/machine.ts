import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { execFileSync } from "node:child_process";
import os from "node:os";
import path from "node:path";
import { percentile, short } from "./figures.ts";

const APPENDS = 300;
const APPEND_BYTES = 300;

/** What the figures depend on, in one line each. */
export function machineFacts(folder: string): string[] {
  const [cpu] = os.cpus();
  const fsType = quiet("df", ["--output=fstype", folder])?.split("\n")[1]?.trim() ?? "unknown";
  return [
    `${os.cpus().length} CPUs (${cpu?.model.trim() ?? "unknown"}), ${Math.round(os.totalmem() / 2 ** 30)} GiB, Linux ${os.release()}, Node ${process.versions.node}`,
    `${fsType}; append of ${APPEND_BYTES} bytes and fdatasync: ${syncCost(folder)}`,
    `load average at the start: ${loads(os.loadavg())}; driver and peer share the CPUs; loopback only`,
    `@langchain/langgraph ${version("@langchain/langgraph")}, commit ${quiet("git", ["rev-parse", "--short", "HEAD"])?.trim() ?? "unknown"}`,
  ];
}

export function loads(averages: readonly number[]): string {
  return averages.map((load) => load.toFixed(1)).join(", ");
}

function syncCost(folder: string): string {
  const file = path.join(folder, "sync-cost");
  const descriptor = openSync(file, "w");
  const bytes = Buffer.alloc(APPEND_BYTES, "x");
  const costs: number[] = [];
  for (let index = 0; index < APPENDS; index += 1) {
    const startedAt = performance.now();
    writeSync(descriptor, bytes);
    fdatasyncSync(descriptor);
    costs.push(performance.now() - startedAt);
  }
  closeSync(descriptor);
  rmSync(file);
  return `p50 ${short(percentile(costs, 0.5))} ms, p99 ${short(percentile(costs, 0.99))} ms`;
}

function version(name: string): string {
  const manifest = JSON.parse(readFileSync(path.join(import.meta.dirname, "..", "..", "node_modules", name, "package.json"), "utf8")) as {
    version: string;
  };
  return manifest.version;
}

function quiet(command: string, words: string[]): string | undefined {
  try {
    return execFileSync(command, words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
  } catch {
    return undefined;
  }
}
