import { connect } from "../http.ts";
import { percentile, type Figures } from "../measure/figures.ts";
import { startAll, untilOver, type Running } from "../running.ts";

const IN_FLIGHT = 50;

/** J4: how long a start takes to be acknowledged while 50 are on their way and everything started is running. */
export async function starts({ peer, child }: Running, count: number, batch: string): Promise<Figures> {
  const http = connect(child.baseUrl, IN_FLIGHT);
  try {
    await peer.prepare(http, "five", batch);
    const acks = await startAll(http, peer, "five", batch, count, IN_FLIGHT);
    await untilOver(() => peer.progress(http, batch), count, 120_000);
    const latencies = acks.map(({ ackMs }) => ackMs);
    return { "J4 acknowledgement p50 ms": percentile(latencies, 0.5), "J4 acknowledgement p99 ms": percentile(latencies, 0.99) };
  } finally {
    await http.close();
  }
}
