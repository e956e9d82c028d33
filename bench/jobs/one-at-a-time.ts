import { connect, post } from "../http.ts";
import { percentile, type Figures } from "../measure/figures.ts";
import type { Running } from "../running.ts";

/** J1: five trivial steps over HTTP, started and awaited, one execution after the other. */
export async function oneAtATime({ peer, child }: Running, count: number, batch: string): Promise<Figures> {
  const http = connect(child.baseUrl, 1);
  try {
    await peer.prepare(http, "five", batch);
    const latencies: number[] = [];
    for (let run = 0; run < count; run += 1) {
      const { path, body } = peer.request("five", batch, run, true);
      const startedAt = performance.now();
      await post(http, path, body);
      latencies.push(performance.now() - startedAt);
    }
    return { "J1 p50 ms": percentile(latencies, 0.5), "J1 p99 ms": percentile(latencies, 0.99) };
  } finally {
    await http.close();
  }
}
