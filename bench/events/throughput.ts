import { percentile, type Figures } from "../measure/figures.ts";
import { cpuMs } from "../measure/process.ts";
import type { Cluster } from "./cluster.ts";

const WARM_UP = 50;

/** Publishes events as fast as Pub/Sub takes them, and measures from the first until the last execution has ended. */
export async function throughput(cluster: Cluster, id: string, count: number): Promise<Figures> {
  const { publish, completed, executions, workers } = cluster;
  const send = (howMany: number) => Promise.all(Array.from({ length: howMany }, (_, n) => publish(id, { n, sentAt: Date.now() })));
  await send(WARM_UP);
  await completed(id, WARM_UP);
  const cpuBefore = total(workers.map(({ pid }) => cpuMs(pid)));
  const began = Date.now();
  await send(count);
  await completed(id, WARM_UP + count);
  const cpu = total(workers.map(({ pid }) => cpuMs(pid))) - cpuBefore;
  const ends = (await executions(id)).map(({ endedAt }) => Date.parse(endedAt)).filter((at) => at >= began);
  const lastMs = Math.max(...ends) - began;
  return {
    "executions/s": count / (lastMs / 1_000),
    "half of them over after s": (percentile(ends, 0.5) - began) / 1_000,
    "CPU of the workers, ms per execution": cpu / count,
  };
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}
