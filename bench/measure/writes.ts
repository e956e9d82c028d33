import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { connect, post } from "../http.ts";
import type { Peer, PeerOptions } from "../peers/peer.ts";
import { startPeer } from "../running.ts";
import type { Figures } from "./figures.ts";

const COUNT = 50;
/** Time for what is written after the answer. */
const SETTLE_MS = 500;

/** Counts the Firestore commits and document writes of executions, in a pass of its own. */
export async function countWrites(peer: Peer, options: Omit<PeerOptions, "writes">): Promise<Figures> {
  const writes = path.join(options.folder, "writes.txt");
  const { child } = await startPeer(peer, { ...options, writes }, COUNT);
  const http = connect(child.baseUrl);
  try {
    await peer.prepare(http, "five", "writes");
    await pause(SETTLE_MS);
    const before = commits(writes).length;
    for (let run = 0; run < COUNT; run += 1) {
      const { path: url, body } = peer.request("five", "writes", run, true);
      await post(http, url, body);
    }
    await pause(SETTLE_MS);
    const made = commits(writes).slice(before);
    return {
      "Firestore commits per execution": made.length / COUNT,
      "Firestore document writes per execution": made.reduce((total, size) => total + size, 0) / COUNT,
    };
  } finally {
    await http.destroy();
    await child.kill();
  }
}

function commits(file: string): number[] {
  return existsSync(file) ? readFileSync(file, "utf8").trim().split("\n").filter(Boolean).map(Number) : [];
}
