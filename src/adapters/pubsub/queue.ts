import type { Message } from "@google-cloud/pubsub";
import { z } from "zod";
import { SignalboxError } from "../../errors.ts";
import type { Queue, WorkHint } from "../../ports/queue.ts";
import type { QueueOptions } from "../open-queue.ts";
import { ensureChannel, type ChannelOptions } from "./channel.ts";
import { createPubSubClient, within } from "./client.ts";
import { createHintPublisher } from "./hint-publisher.ts";
import { pull } from "./pull.ts";

/** Hints a process holds while all its slots are taken. */
const MAX_HELD = 64;
/** After this time held hints go back, for a process with a free slot, and no more are taken until one is free here, milliseconds. */
const HOLD_MS = 1_000;
/** How often a process that holds hints looks for a free slot, milliseconds. */
const LOOK_MS = 20;
/** How long closing waits for the client's connections, milliseconds. */
const CLOSE_MS = 2_000;

const Hint = z.object({ tenant: z.string().min(1), executionId: z.string().min(1), rank: z.number().optional() });

/**
 * Hints through the topic and subscription `<prefix>-work`; a consumer keeps those of its own process while it says so. Each goes to one
 * of the processes that consume, to one with a free slot, and is acknowledged as it is handed over: the store is the truth, and whoever
 * loses a hint only delays its execution until the sweeper comes. So nothing here fails a start of an execution, and Pub/Sub may be away
 * when the service starts.
 *
 * NOT_FOUND where the topic is missing and may not be created.
 */
export async function openPubSubQueue({ project, prefix, create, clock, log }: QueueOptions & { project: string }): Promise<Queue> {
  const client = createPubSubClient(project);
  const name = `${prefix}-work`;
  const channel: ChannelOptions = {
    client,
    name,
    clock,
    create,
    // An older hint tells nothing new: ten minutes (the least there is) after it the sweeper has long been there.
    settings: { ackDeadlineSeconds: 10, messageRetentionDuration: 600, expirationPolicy: {} },
  };
  const publisher = createHintPublisher({ topic: client.topic(name), clock, log });
  const stops: (() => Promise<void>)[] = [];
  let own: { take(hint: WorkHint): void; isWelcome(): boolean } | undefined;
  let closing: Promise<void> | undefined;
  let wasAway = false;

  async function ensure(ends: "topic" | "both"): Promise<void> {
    try {
      await ensureChannel(channel, ends);
    } catch (error) {
      if (!(error instanceof SignalboxError) || error.code !== "UNAVAILABLE") throw error;
      wasAway = true;
      log("Pub/Sub is away; work is found through the store meanwhile", { topic: name, reason: error.message });
    }
  }

  async function closeAll(): Promise<void> {
    await Promise.all(stops.map((stop) => stop()));
    await publisher.flush();
    await within(client.close(), clock, CLOSE_MS).catch(() => {}); // a connection that cannot be closed ends with the process
  }

  try {
    await ensure("topic");
  } catch (error) {
    await client.close();
    throw error;
  }
  return {
    async enqueue(hint) {
      if (closing) return;
      if (!own?.isWelcome()) return publisher.publish(hint);
      // Later, so that whoever enqueues answers its client first; by then others may have come.
      setImmediate(() => {
        if (own?.isWelcome()) own.take(hint);
        else if (!closing) publisher.publish(hint);
      });
    },

    async consume(take, { freeSlots = () => Infinity, keepsOwn = () => false } = {}) {
      own = { take, isWelcome: keepsOwn };
      // Its absence is known already, and the pull looks again by itself: no second wait for the same deadline.
      if (!wasAway) await ensure("both");
      let held: HeldHint[] = [];
      let cancelLook: (() => void) | undefined;
      let isFull = false;

      function handOver(): void {
        cancelLook?.();
        cancelLook = undefined;
        const now = clock.now();
        while (held.length > 0 && freeSlots() > 0) {
          const [next] = held.splice(firstOf(held), 1);
          next?.message.ack();
          if (next?.hint) take(next.hint);
        }
        if (held.some(({ since }) => now - since >= HOLD_MS)) {
          // Without pausing, what goes back comes straight here again, however idle the others are.
          for (const { message } of held) message.nack();
          held = [];
          isFull = true;
          pulling.pause();
        } else if (isFull && freeSlots() > 0) {
          isFull = false;
          pulling.resume();
        }
        if (held.length > 0 || isFull) cancelLook = clock.after(LOOK_MS, handOver);
      }

      const pulling = pull({
        client,
        subscription: name,
        clock,
        log,
        maxMessages: MAX_HELD,
        ensure: async () => await ensure("both"),
        onMessage(message) {
          held.push({ message, hint: hintOf(message), since: clock.now() });
          handOver();
        },
      });
      async function stop(): Promise<void> {
        if (own?.take === take) own = undefined;
        cancelLook?.();
        held = [];
        await pulling.stop();
      }
      stops.push(stop);
      return stop;
    },

    close: () => (closing ??= closeAll()),
  };
}

interface HeldHint {
  message: Message;
  hint: WorkHint | undefined;
  since: number;
}

/** The index of the one whose turn it is: what was begun has no rank, and goes on first. */
function firstOf(held: readonly HeldHint[]): number {
  const ranks = held.map(({ hint }) => hint?.rank ?? Number.NEGATIVE_INFINITY);
  return ranks.indexOf(Math.min(...ranks));
}

/** Undefined for what is no hint: somebody else wrote to the topic, and nothing is lost with it. */
function hintOf({ data }: Message): WorkHint | undefined {
  try {
    return Hint.safeParse(JSON.parse(data.toString("utf8"))).data;
  } catch {
    return undefined;
  }
}
