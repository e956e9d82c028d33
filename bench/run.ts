import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { loadavg } from "node:os";
import path from "node:path";
import { freePort } from "../test/e2e/support/child.ts";
import { atOnce } from "./jobs/at-once.ts";
import { killHalfWay } from "./jobs/kill.ts";
import { oneAtATime } from "./jobs/one-at-a-time.ts";
import { starts } from "./jobs/starts.ts";
import type { Figures } from "./measure/figures.ts";
import { countFsyncs } from "./measure/fsyncs.ts";
import { listenerOn } from "./measure/listener.ts";
import { loads, machineFacts } from "./measure/machine.ts";
import { countWrites } from "./measure/writes.ts";
import { undisturbed } from "./measure/quiet.ts";
import { readOptions } from "./options.ts";
import { PEERS, type PeerName } from "./peers/all.ts";
import type { PeerOptions } from "./peers/peer.ts";
import { emulator } from "./peers/firestore.ts";
import { startPeer, type Running } from "./running.ts";
import { soak } from "./soak.ts";
import { table, type Results } from "./table.ts";

// npm run bench -- --rounds 5 --jobs J1,J3,J4,J5 --peers pure,effects,langgraph,memory
const options = readOptions();
const { rounds, jobs, peers, isQuick, isSoak } = options;
const sizes = isQuick ? { j1: 100, j3: 300, j4: 200, j5: 60 } : { j1: 300, j3: 1_000, j4: 500, j5: 200 };
const helpers = emulator === undefined ? [] : [listenerOn(emulator)].filter((pid) => pid !== undefined);
mkdirSync(options.folder, { recursive: true });
const facts = machineFacts(options.folder);
console.log(facts.map((fact) => `- ${fact}`).join("\n"));
await (isSoak ? runSoak() : runJobs());

async function runJobs(): Promise<void> {
  const results: Results = new Map(peers.map((peer) => [peer, []]));
  for (let round = 1; round <= rounds; round += 1) {
    // Another one begins in every round, so that none always runs on a machine the one before has heated up.
    const order = peers.map((_, index) => peers[(index + round) % peers.length] as PeerName); // the index is inside the list
    for (const peer of order) {
      const figures: Figures = {
        ...(await undisturbed(helpers, () => measureRound(peer))),
        ...(round === 1 ? await countStoring(peer) : {}),
      };
      results.get(peer)?.push(figures);
      console.error(`round ${round} of ${rounds}: ${PEERS[peer].name}`);
    }
  }
  console.log(
    `\n${rounds} rounds, medians (smallest-largest); J1 ${sizes.j1}, J3 ${sizes.j3}, J4 ${sizes.j4}, J5 ${sizes.j5} executions; load average at the end ${loads(loadavg())}.\n`,
  );
  console.log(table(results));
}

async function measureRound(name: PeerName): Promise<Figures> {
  return { ...(await warmJobs(name)), ...(await killJob(name)) };
}

/** The jobs that share a process: a fresh one for every peer and round. */
async function warmJobs(name: PeerName): Promise<Figures> {
  if (!jobs.some((job) => job !== "J5")) return {};
  return await withFolder(async (peerOptions) => {
    const running: Running = await startPeer(PEERS[name], peerOptions);
    try {
      return {
        ...(jobs.includes("J1") ? await oneAtATime(running, sizes.j1, "j1") : {}),
        ...(jobs.includes("J3") ? await atOnce(running, sizes.j3, "j3") : {}),
        ...(jobs.includes("J4") ? await starts(running, sizes.j4, "j4") : {}),
      };
    } finally {
      await running.child.stop();
    }
  });
}

async function killJob(name: PeerName): Promise<Figures> {
  // Its steps have effects whatever the others are like.
  if (!jobs.includes("J5") || name.endsWith("pure")) return {};
  return await withFolder((peerOptions) => killHalfWay(PEERS[name], peerOptions, sizes.j5));
}

async function countStoring(name: PeerName): Promise<Figures> {
  if (!jobs.includes("J1") || !jobs.includes("J3")) return {};
  const count = (peerOptions: PeerOptions) =>
    PEERS[name].countsWrites === true ? countWrites(PEERS[name], peerOptions) : countFsyncs(PEERS[name], peerOptions, sizes.j3);
  return await withFolder(count);
}

async function runSoak(): Promise<void> {
  for (const name of peers) {
    console.log(`\n${await withFolder((peerOptions) => soak(PEERS[name], peerOptions, isQuick ? 3 : 10))}`);
  }
}

async function withFolder<T>(work: (peerOptions: PeerOptions) => Promise<T>): Promise<T> {
  const folder = mkdtempSync(path.join(path.resolve(options.folder), "run-"));
  try {
    return await work({ port: await freePort(), folder, ledger: path.join(folder, "ledger.txt") });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
