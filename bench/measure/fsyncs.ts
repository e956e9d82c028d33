import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import path from "node:path";
import { connect, post } from "../http.ts";
import type { Peer, PeerOptions } from "../peers/peer.ts";
import { startAll, startPeer, untilOver } from "../running.ts";
import type { Figures } from "./figures.ts";

const IDLE = "fsyncs per execution, one at a time";
const BUSY = "fsyncs per execution, under J3";
const IDLE_COUNT = 50;

/** Counts the fsync and fdatasync calls of a peer in a pass of its own, because strace slows it down. NaN where there is no strace. */
export async function countFsyncs(peer: Peer, options: Omit<PeerOptions, "through">, count: number): Promise<Figures> {
  if (!hasStrace()) return { [IDLE]: Number.NaN, [BUSY]: Number.NaN };
  const trace = path.join(options.folder, "strace.txt");
  const through = ["strace", "--seccomp-bpf", "-f", "-qq", "-e", "trace=fsync,fdatasync", "-e", "signal=none", "-o", trace];
  const { child } = await startPeer(peer, { ...options, through }, 50);
  const http = connect(child.baseUrl);
  try {
    await peer.prepare(http, "five", "fsyncs-idle");
    const before = calls(trace);
    for (let run = 0; run < IDLE_COUNT; run += 1) {
      const { path: url, body } = peer.request("five", "fsyncs-idle", run, true);
      await post(http, url, body);
    }
    const idle = calls(trace) - before;
    await peer.prepare(http, "five", "fsyncs-busy");
    const between = calls(trace);
    await startAll(http, peer, "five", "fsyncs-busy", count, 64);
    await untilOver(() => peer.progress(http, "fsyncs-busy"), count, 120_000);
    return { [IDLE]: idle / IDLE_COUNT, [BUSY]: (calls(trace) - between) / count };
  } finally {
    await http.destroy();
    await child.kill();
  }
}

function calls(trace: string): number {
  return readFileSync(trace, "utf8").match(/\bf(?:data)?sync\(/g)?.length ?? 0;
}

function hasStrace(): boolean {
  try {
    execFileSync("strace", ["-qq", "-e", "trace=none", "true"], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
}
