import { setTimeout as pause } from "node:timers/promises";
import { percentile, type Figures } from "../measure/figures.ts";
import type { Cluster } from "./cluster.ts";

const WARM_UP = 30;
const PER_SECOND = 10;

/**
 * Publishes events one after the other, at a rate at which none waits for another, and measures by the publisher's clock, which the
 * processes share: from handing an event to the client until its execution is durable, has started, and has ended.
 */
export async function latency({ publish, completed, executions }: Cluster, id: string, count: number): Promise<Figures> {
  const sending: Promise<void>[] = [];
  const began = performance.now();
  for (let n = 0; n < WARM_UP + count; n += 1) {
    await pause(Math.max(0, began + (n * 1_000) / PER_SECOND - performance.now()));
    sending.push(publish(id, { n, sentAt: Date.now() }));
  }
  await Promise.all(sending);
  await completed(id, WARM_UP + count);
  const measured = (await executions(id)).toSorted((one, other) => one.input.sentAt - other.input.sentAt).slice(WARM_UP);
  const figures: Figures = {};
  for (const [name, field] of [
    ["durable", "createdAt"],
    ["started", "startedAt"],
    ["ended", "endedAt"],
  ] as const) {
    const took = measured.map((one) => Date.parse(one[field]) - one.input.sentAt);
    figures[`event to execution ${name} p50 ms`] = percentile(took, 0.5);
    figures[`event to execution ${name} p99 ms`] = percentile(took, 0.99);
  }
  return figures;
}
