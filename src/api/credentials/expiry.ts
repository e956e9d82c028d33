import type { EventEmitter } from "node:events";
import type { WebSocket } from "@fastify/websocket";
import type { Clock } from "../../ports/clock.ts";
import { CLOSE } from "../live/frames.ts";

/** Closes a socket when the credentials it was opened with end, with a code after which clients reconnect with new ones. */
export function closeOnExpiry(socket: WebSocket, expiresAt: number | null, clock: Clock): void {
  if (expiresAt === null) return;
  const stop = callAt(expiresAt, clock, () => socket.close(CLOSE.credentials, "credentials expired, resume after the last seq seen"));
  socket.once("close", stop);
}

/** A signal that aborts at that time, for streams over HTTP; none where no end is known. */
export function expirySignal(expiresAt: number | null, clock: Clock, connection: EventEmitter): AbortSignal[] {
  if (expiresAt === null) return [];
  const expired = new AbortController();
  connection.once(
    "close",
    callAt(expiresAt, clock, () => expired.abort()),
  );
  return [expired.signal];
}

/** Timers end after 25 days at the latest: a later time is waited for in turns. */
function callAt(at: number, clock: Clock, callback: () => void): () => void {
  let stop = () => {};
  function wait(): void {
    const left = at - clock.now();
    if (left <= 0) callback();
    else stop = clock.after(left, wait);
  }
  wait();
  return () => stop();
}
