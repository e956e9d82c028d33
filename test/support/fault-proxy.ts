import { once } from "node:events";
import { connect, createServer, type Socket } from "node:net";

/**
 * What the proxy does with the connections of a client.
 * - `pass`: nothing.
 * - `latency`: every chunk of either direction comes `latencyMs` later.
 * - `refuse`: new connections are closed at once, present ones reset.
 * - `blackhole`: nothing passes in either direction, nothing is closed or lost; it passes when the fault ends.
 * - `swallow`: requests pass, answers do not: what was asked for happens and nobody hears of it.
 */
export type Fault = "pass" | "latency" | "refuse" | "blackhole" | "swallow";

export interface FaultProxy extends AsyncDisposable {
  /** `host:port` to give to the client. */
  readonly address: string;
  readonly fault: Fault;
  set(fault: Fault, options?: { latencyMs?: number }): void;
  /** Resets every connection, as a node that dies does; the fault stays. */
  reset(): void;
}

interface Link {
  client: Socket;
  server: Socket;
}

/** A TCP proxy on loopback in front of `target` (`host:port`) that can misbehave on demand. */
export async function startFaultProxy(target: string): Promise<FaultProxy> {
  const [host, port] = [target.slice(0, target.lastIndexOf(":")), Number(target.slice(target.lastIndexOf(":") + 1))];
  const links = new Set<Link>();
  let fault: Fault = "pass";
  let latencyMs = 0;
  function relay(from: Socket, to: Socket, isAnswer: boolean): void {
    const late: Buffer[] = [];
    from.on("data", (chunk: Buffer) => {
      if (fault === "swallow" && isAnswer) return;
      if (fault !== "latency" && late.length === 0) {
        to.write(chunk);
        return;
      }
      // Bytes keep their order, also past the end of the fault: what comes behind late ones is late too.
      late.push(chunk);
      setTimeout(() => to.write(late.shift() ?? ""), latencyMs);
    });
    from.on("close", () => to.destroy());
    from.on("error", () => to.destroy());
  }

  function reset(): void {
    for (const { client, server } of links) {
      client.resetAndDestroy();
      server.destroy();
    }
    links.clear();
  }

  // As in a partition, nothing is lost: what the two sides send waits for its end.
  function hold({ client, server }: Link): void {
    client.pause();
    server.pause();
  }

  const listener = createServer((client) => {
    if (fault === "refuse") {
      client.resetAndDestroy();
      return;
    }
    const server = connect({ host, port });
    const link = { client, server };
    links.add(link);
    client.on("close", () => links.delete(link));
    relay(client, server, false);
    relay(server, client, true);
    if (fault === "blackhole") hold(link);
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const address = listener.address();
  if (typeof address !== "object" || !address) throw new Error("the proxy has no port");

  return {
    address: `127.0.0.1:${address.port}`,
    get fault() {
      return fault;
    },
    set(next, options = {}) {
      const before = fault;
      fault = next;
      latencyMs = options.latencyMs ?? 0;
      // A connection that lost bytes cannot go on.
      if (before === "swallow" || next === "refuse") reset();
      for (const link of links) {
        if (next === "blackhole") hold(link);
        else if (before === "blackhole") for (const socket of [link.client, link.server]) socket.resume();
      }
    },
    reset,
    async [Symbol.asyncDispose]() {
      reset();
      listener.close();
      await once(listener, "close");
    },
  };
}
