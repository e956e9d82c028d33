import { setTimeout as pause } from "node:timers/promises";
import { connect } from "../http.ts";
import { percentile, type Figures } from "../measure/figures.ts";
import { cpuMs, watchMemory } from "../measure/process.ts";
import { startAll, untilOver, type Running } from "../running.ts";

/** J3: executions of five trivial steps, all started as fast as 64 connections can. */
export async function atOnce({ peer, child, pid }: Running, count: number, batch: string): Promise<Figures> {
  const http = connect(child.baseUrl);
  try {
    await peer.prepare(http, "five", batch);
    await pause(200);
    const memory = watchMemory(pid);
    const cpuBefore = cpuMs(pid);
    const startedAt = performance.now();
    const acks = await startAll(http, peer, "five", batch, count, 64);
    await untilOver(() => peer.progress(http, batch), count, 120_000);
    const tookMs = performance.now() - startedAt;
    const cpu = cpuMs(pid) - cpuBefore;
    const peakMb = memory.stop();
    const ends = await peer.ends(http, batch);
    const lasted = acks.map(({ id, sentAt }) => (ends.get(id) ?? Number.NaN) - sentAt);
    return {
      "J3 executions/s": count / (tookMs / 1_000),
      "J3 start to end p50 ms": percentile(lasted, 0.5),
      "J3 start to end p99 ms": percentile(lasted, 0.99),
      "J3 CPU ms per execution": cpu / count,
      "J3 peak memory MB (PSS)": peakMb,
    };
  } finally {
    await http.close();
  }
}
