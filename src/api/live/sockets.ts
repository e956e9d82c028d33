import websocket from "@fastify/websocket";
import type { FastifyInstance } from "fastify";
import type { Clock } from "../../ports/clock.ts";
import { CLOSE, SUBPROTOCOL } from "./frames.ts";
import type { LiveLimits } from "./outlet.ts";

/** Largest frame a client may send, bytes; the library's default takes 50 MiB. */
const MAX_FRAME_BYTES = 65_536;
const GRAPHQL_PROTOCOL = "graphql-transport-ws";

export const SOCKET_PATH = "/api/v1/ws";

/**
 * The one WebSocket server behind both endpoints: frame limit, sub-protocols, heartbeat, and closing with a code that asks to
 * reconnect. Registered before everything else that might bring one of its own (two servers on one socket break every upgrade).
 */
export async function registerSockets(app: FastifyInstance, { clock, limits }: { clock: Clock; limits: LiveLimits }): Promise<void> {
  await app.register(websocket, {
    options: { maxPayload: MAX_FRAME_BYTES, handleProtocols: chooseProtocol },
    errorHandler: (_error, socket) => socket.terminate(), // a frame too large or broken: the client's doing, nothing to log
    preClose(done) {
      stopHeartbeat();
      for (const socket of app.websocketServer.clients) socket.close(CLOSE.restart, "service restart, reconnect after the last seq seen");
      app.websocketServer.close();
      done();
    },
  });
  const stopHeartbeat = startHeartbeat(app, clock, limits.heartbeatMs);
}

function chooseProtocol(offered: Set<string>, { url = "" }: { url?: string | undefined }): string | false {
  const ours = url.startsWith(SOCKET_PATH) ? SUBPROTOCOL : GRAPHQL_PROTOCOL;
  return offered.has(ours) ? ours : false;
}

/** Pings every socket; one that did not answer the ping before is gone, whatever TCP says. */
function startHeartbeat(app: FastifyInstance, clock: Clock, everyMs: number): () => void {
  const silent = new WeakSet<object>();
  app.websocketServer.on("connection", (socket) => socket.on("pong", () => silent.delete(socket)));
  let stop = () => {};
  function beat(): void {
    for (const socket of app.websocketServer.clients) {
      if (silent.has(socket)) socket.terminate();
      else {
        silent.add(socket);
        socket.ping();
      }
    }
    stop = clock.after(everyMs, beat);
  }
  stop = clock.after(everyMs, beat);
  return () => stop();
}
