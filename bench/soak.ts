import { setTimeout as pause } from "node:timers/promises";
import { connect } from "./http.ts";
import { short } from "./measure/figures.ts";
import { cpuMs, memoryMb } from "./measure/process.ts";
import type { Peer, PeerOptions } from "./peers/peer.ts";
import { startAll, startPeer, untilOver } from "./running.ts";

/** Runs executions a thousand at a time and tells what memory is left in use after each thousand. */
export async function soak(peer: Peer, options: PeerOptions, thousands: number): Promise<string> {
  const { child, pid } = await startPeer(peer, options);
  const http = connect(child.baseUrl);
  const rows: string[] = [];
  try {
    for (let thousand = 1; thousand <= thousands; thousand += 1) {
      const batch = `soak-${thousand}`;
      await peer.prepare(http, "five", batch);
      const cpuBefore = cpuMs(pid);
      const startedAt = performance.now();
      await startAll(http, peer, "five", batch, 1_000, 64);
      await untilOver(() => peer.progress(http, batch), 1_000, 120_000);
      const rate = 1_000 / ((performance.now() - startedAt) / 1_000);
      const cpu = (cpuMs(pid) - cpuBefore) / 1_000;
      await pause(1_000);
      rows.push(`| ${thousand * 1_000} | ${short(memoryMb(pid))} | ${short(rate)} | ${short(cpu)} |`);
    }
  } finally {
    await http.destroy();
    await child.kill();
  }
  return [
    peer.name,
    "",
    "| executions | memory MB (PSS) after a second of rest | executions/s | CPU ms per execution |",
    "|---|---|---|---|",
    ...rows,
  ].join("\n");
}
