import { percentile, type Figures } from "../measure/figures.ts";
import { cpuMs } from "../measure/process.ts";
import type { Cluster } from "./cluster.ts";

/** Events for each worker, until its code is compiled. */
const WARM_UP = 60;

/** Publishes events as fast as Pub/Sub takes them, and measures from the first until the last execution has ended. */
export async function throughput(cluster: Cluster, id: string, count: number): Promise<Figures> {
  const { publish, completed, executions, workers, emulators } = cluster;
  const warmUp = WARM_UP * workers.length;
  const send = (howMany: number) => Promise.all(Array.from({ length: howMany }, (_, n) => publish(id, { n, sentAt: Date.now() })));
  await send(warmUp);
  await completed(id, warmUp);
  const readCpu = (pids: readonly number[]) => pids.reduce((sum, pid) => sum + cpuMs(pid), 0);
  const pids = workers.map(({ pid }) => pid);
  const before = { workers: readCpu(pids), emulators: readCpu(emulators) };
  const began = Date.now();
  await send(count);
  await completed(id, warmUp + count);
  const after = { workers: readCpu(pids), emulators: readCpu(emulators) };
  const ends = (await executions(id)).map(({ endedAt }) => Date.parse(endedAt)).filter((at) => at >= began);
  const lastMs = Math.max(...ends) - began;
  return {
    "executions/s": count / (lastMs / 1_000),
    "half of them over after s": (percentile(ends, 0.5) - began) / 1_000,
    "CPU of the workers, ms per execution": (after.workers - before.workers) / count,
    "CPU of the emulators, ms per execution": emulators.length === 0 ? Number.NaN : (after.emulators - before.emulators) / count,
  };
}
