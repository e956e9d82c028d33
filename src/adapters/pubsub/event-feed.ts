import type { Message } from "@google-cloud/pubsub";
import { SignalboxError } from "../../errors.ts";
import type { EventFeed, EventMessage } from "../../ports/event-feed.ts";
import type { QueueOptions } from "../open-queue.ts";
import { ensureChannel, type ChannelOptions } from "./channel.ts";
import { createPubSubClient, within } from "./client.ts";
import { pull } from "./pull.ts";

/**
 * Messages this process works on at once; each is a few writes, which makes over a hundred a second where a write takes 50 ms. What a
 * process holds when it dies comes again ten seconds later: more would be more that waits for nothing.
 */
const MAX_AT_ONCE = 32;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
/** How long a message waits for a free slot. Then it is taken all the same: what it starts is found by whoever has one, milliseconds. */
const SLOT_MS = 1_000;
const SLOT_LOOK_MS = 50;
/** How long the end waits for messages under way, milliseconds; others get them again. */
const FINISH_MS = 3_000;
const CLOSE_MS = 2_000;
const WEEK_SECONDS = 7 * 86_400;

/**
 * Events from the subscription `<prefix>-events`. A message is acknowledged when what it does is durable. While the store is away it is
 * tried again here with growing pauses, not given back: given back often enough, the subscription's own dead-letter policy would take
 * good messages for bad ones.
 *
 * NOT_FOUND where the topic or the subscription is missing and may not be created.
 */
export async function openPubSubEventFeed({ project, prefix, create, clock, log }: QueueOptions & { project: string }): Promise<EventFeed> {
  const client = createPubSubClient(project);
  const name = `${prefix}-events`;
  const channel: ChannelOptions = {
    client,
    name,
    clock,
    create,
    settings: {
      ackDeadlineSeconds: 30,
      messageRetentionDuration: WEEK_SECONDS,
      expirationPolicy: {},
      enableMessageOrdering: true,
      // It counts for what a dead or ending process gives back, and doubles each time: from ten seconds, a handful of kills put a
      // message off for ten minutes. What kills whoever reads it is put aside after ten deliveries anyway.
      retryPolicy: { minimumBackoff: { seconds: 1 }, maximumBackoff: { seconds: 10 } },
    },
  };
  const ending = new AbortController();

  async function ensure(): Promise<void> {
    try {
      await ensureChannel(channel, "both");
    } catch (error) {
      if (!(error instanceof SignalboxError) || error.code !== "UNAVAILABLE") throw error;
      log("Pub/Sub is away; events come in when it is back", { topic: name, reason: error.message });
    }
  }

  async function rest(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const cancel = clock.after(ms, resolve);
      ending.signal.addEventListener("abort", () => (cancel(), resolve()), { once: true });
    });
    ending.signal.throwIfAborted();
  }

  async function waitForSlot(freeSlots: () => number): Promise<void> {
    for (let waited = 0; waited < SLOT_MS && freeSlots() <= 0; waited += SLOT_LOOK_MS) await rest(SLOT_LOOK_MS);
  }

  /** Resolves when the message may be acknowledged; rejects when the end came first. */
  async function settle(message: Message, handle: (message: EventMessage) => Promise<void>): Promise<void> {
    const given = eventMessage(message, `//pubsub.googleapis.com/projects/${project}/topics/${name}`);
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return await handle(given);
      } catch (error) {
        ending.signal.throwIfAborted();
        log("event tried again", {
          subscription: name,
          messageId: message.id,
          pauseMs,
          error: error instanceof Error ? error.message : "",
        });
      }
      await rest(pauseMs * (0.5 + Math.random() / 2));
    }
  }

  return {
    async consume(handle, { freeSlots = () => Infinity } = {}) {
      await ensure();
      const underWay = new Set<Promise<void>>();
      const pulling = pull({
        client,
        subscription: name,
        clock,
        log,
        maxMessages: MAX_AT_ONCE,
        ensure,
        isBusy: () => underWay.size > 0,
        onMessage(message) {
          const work = waitForSlot(freeSlots)
            .then(() => settle(message, handle))
            .then(
              () => message.ack(),
              () => message.nack(),
            )
            .finally(() => underWay.delete(work));
          underWay.add(work);
        },
      });
      return async () => {
        ending.abort();
        await within(Promise.all(underWay), clock, FINISH_MS).catch(() => {}); // given back, and done again by others
        await pulling.stop();
      };
    },
    async close() {
      ending.abort();
      await within(client.close(), clock, CLOSE_MS).catch(() => {}); // a connection that cannot be closed ends with the process
    },
  };
}

function eventMessage({ id, data, attributes, publishTime }: Message, origin: string): EventMessage {
  return { id, data, attributes, publishedAt: publishTime.toISOString(), origin };
}
