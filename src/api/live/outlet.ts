import type { WebSocket } from "@fastify/websocket";
import type { Clock } from "../../ports/clock.ts";

/** Bounds of every live connection; the defaults are what the service runs with. */
export interface LiveLimits {
  /** How often an idle connection is pinged, milliseconds. */
  heartbeatMs: number;
  /** Bytes that may wait for one client. */
  bufferedBytes: number;
  /** How long a client may stay above that before it is dropped, milliseconds. */
  stallMs: number;
  /** Subscriptions per socket. */
  subscriptionsPerSocket: number;
}

export const LIVE_LIMITS: LiveLimits = { heartbeatMs: 15_000, bufferedBytes: 1_048_576, stallMs: 10_000, subscriptionsPerSocket: 100 };

/** How much waits for a client, and a call when some of it left. */
export interface Outlet {
  bufferedBytes(): number;
  /** Resolves when something was flushed or the connection is gone. */
  flushed(): Promise<void>;
}

/**
 * Waits while more than `limits.bufferedBytes` wait for the client. False where the client did not read for `stallMs`: a reader
 * that is merely slower than the store goes on, one that stopped is dropped.
 */
export async function hasRoom(outlet: Outlet, clock: Clock, limits: LiveLimits, signal: AbortSignal): Promise<boolean> {
  while (outlet.bufferedBytes() > limits.bufferedBytes) {
    if (signal.aborted) return true;
    const before = outlet.bufferedBytes();
    const { promise: stalled, resolve } = Promise.withResolvers<"stalled">();
    const stop = clock.after(limits.stallMs, () => resolve("stalled"));
    const outcome = await Promise.race([outlet.flushed(), stalled]);
    stop();
    if (outcome === "stalled" && outlet.bufferedBytes() >= before) return false;
  }
  return true;
}

/** A WebSocket as an outlet. */
export function socketOutlet(socket: WebSocket): Outlet {
  return {
    bufferedBytes: () => (socket.readyState === socket.OPEN ? socket.bufferedAmount : 0),
    // A ping's callback comes when everything before it was handed to the kernel.
    flushed: () =>
      new Promise((resolve) => {
        socket.ping(undefined, undefined, () => resolve());
      }),
  };
}
