import { setTimeout as pause } from "node:timers/promises";
import type { Pool } from "undici";
import type { Child } from "../test/e2e/support/child.ts";
import { connect, post } from "./http.ts";
import type { Peer, PeerOptions, Task } from "./peers/peer.ts";

/** A peer that was started and has run enough for its code to be compiled. */
export interface Running {
  peer: Peer;
  child: Child;
  /** The process itself, also when it was started through another one. */
  pid: number;
}

const LOOK_EVERY_MS = 20;
const WARM_UP = 300;

/** Starts a peer and warms it up. The caller ends `child`. */
export async function startPeer(peer: Peer, options: PeerOptions, warmUp: number = WARM_UP): Promise<Running> {
  const child = peer.start(options);
  try {
    await child.ready();
    const http = connect(child.baseUrl, 8);
    await peer.prepare(http, "five", "warm-up");
    await startAll(http, peer, "five", "warm-up", warmUp, 8, undefined, true);
    await http.close();
    return { peer, child, pid: child.pid };
  } catch (error) {
    await child.kill();
    throw error;
  }
}

export interface Ack {
  id: string;
  /** Epoch milliseconds. */
  sentAt: number;
  ackMs: number;
}

/** Starts `count` executions with `inFlight` requests under way. */
export async function startAll(
  http: Pool,
  peer: Peer,
  task: Task,
  batch: string,
  count: number,
  inFlight: number,
  onAck?: () => void,
  wait = false,
): Promise<Ack[]> {
  const acks: Ack[] = [];
  let next = 0;
  async function lane(): Promise<void> {
    while (next < count) {
      const run = next++;
      const { path, body } = peer.request(task, batch, run, wait);
      const sentAt = Date.now();
      const startedAt = performance.now();
      const { id } = (await post(http, path, body)) as { id: string }; // both fronts answer with it
      acks.push({ id, sentAt, ackMs: performance.now() - startedAt });
      onAck?.();
    }
  }
  await Promise.all(Array.from({ length: inFlight }, lane));
  return acks;
}

/** Resolves when `progress` is `count`. */
export async function untilOver(progress: () => Promise<number>, count: number, timeoutMs: number): Promise<void> {
  for (const until = Date.now() + timeoutMs; Date.now() < until; await pause(LOOK_EVERY_MS)) {
    if ((await progress()) >= count) return;
  }
  throw new Error(`Not all of ${count} executions were over within ${timeoutMs} ms.`);
}
