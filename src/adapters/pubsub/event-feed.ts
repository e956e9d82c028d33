import type { Message } from "@google-cloud/pubsub";
import { SignalboxError } from "../../errors.ts";
import type { EventFeed, EventMessage, EventVerdict } from "../../ports/event-feed.ts";
import type { QueueOptions } from "../open-queue.ts";
import { ensureChannel, type ChannelOptions } from "./channel.ts";
import { CALL_DEADLINE_MS, createPubSubClient, within } from "./client.ts";
import { pull } from "./pull.ts";

/** Messages this process works on at once; each is one durable write or a few. */
const MAX_AT_ONCE = 100;
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 10_000;
/** How long the end waits for messages under way, milliseconds; others get them again. */
const FINISH_MS = 3_000;
const CLOSE_MS = 2_000;
/** Limits of Pub/Sub: attributes of a message, bytes of a value. */
const MAX_ATTRIBUTES = 100;
const MAX_VALUE_BYTES = 1_024;
const WEEK_SECONDS = 7 * 86_400;

/**
 * Events from the subscription `<prefix>-events`. A message is acknowledged when its executions are durable. While the store is away it is
 * tried again here with growing pauses, not given back: given back often enough, the subscription's own dead-letter policy would take
 * good messages for bad ones. What never can be taken is published to `<prefix>-dead-letter` with its reason, then acknowledged.
 *
 * NOT_FOUND where a topic or the subscription is missing and may not be created.
 */
export async function openPubSubEventFeed({ project, prefix, create, clock, log }: QueueOptions & { project: string }): Promise<EventFeed> {
  const client = createPubSubClient(project);
  const name = `${prefix}-events`;
  const events: ChannelOptions = {
    client,
    name,
    clock,
    create,
    settings: {
      ackDeadlineSeconds: 30,
      messageRetentionDuration: WEEK_SECONDS,
      expirationPolicy: {},
      enableMessageOrdering: true,
      retryPolicy: { minimumBackoff: { seconds: 10 }, maximumBackoff: { seconds: 600 } },
    },
  };
  const parking: ChannelOptions = {
    ...events,
    name: `${prefix}-dead-letter`,
    settings: { messageRetentionDuration: WEEK_SECONDS, expirationPolicy: {} },
  };
  const deadLetters = client.topic(parking.name);
  deadLetters.setPublishOptions({ batching: { maxMilliseconds: 3 }, gaxOpts: { timeout: CALL_DEADLINE_MS, maxRetries: 0 } });
  const ending = new AbortController();

  async function ensure(): Promise<void> {
    try {
      await ensureChannel(parking, "topic");
      await ensureChannel(events, "both");
    } catch (error) {
      if (!(error instanceof SignalboxError) || error.code !== "UNAVAILABLE") throw error;
      log("Pub/Sub is away; events come in when it is back", { topic: name, reason: error.message });
    }
  }

  async function park(message: Message, reason: string): Promise<void> {
    log("event parked", { subscription: name, messageId: message.id, reason });
    const own = {
      "signalbox-reason": cut(reason),
      "signalbox-message-id": message.id,
      "signalbox-published-at": message.publishTime.toISOString(),
    };
    const attributes = Object.entries(message.attributes).slice(0, MAX_ATTRIBUTES - Object.keys(own).length);
    await within(deadLetters.publishMessage({ data: message.data, attributes: { ...Object.fromEntries(attributes), ...own } }), clock);
  }

  /** Resolves when the message may be acknowledged; rejects when the end came first. */
  async function settle(message: Message, handle: (message: EventMessage) => Promise<EventVerdict>): Promise<void> {
    const given = eventMessage(message, `//pubsub.googleapis.com/projects/${project}/topics/${name}`);
    for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        const verdict = await handle(given);
        if (!verdict.taken) await park(message, verdict.reason);
        return;
      } catch (error) {
        ending.signal.throwIfAborted();
        log("event tried again", {
          subscription: name,
          messageId: message.id,
          pauseMs,
          error: error instanceof Error ? error.message : "",
        });
      }
      await new Promise<void>((resolve) => {
        const cancel = clock.after(pauseMs * (0.5 + Math.random() / 2), resolve);
        ending.signal.addEventListener("abort", () => (cancel(), resolve()), { once: true });
      });
      ending.signal.throwIfAborted();
    }
  }

  return {
    async consume(handle) {
      await ensure();
      const underWay = new Set<Promise<void>>();
      const pulling = pull({
        client,
        subscription: name,
        clock,
        log,
        maxMessages: MAX_AT_ONCE,
        ensure,
        onMessage(message) {
          const work = settle(message, handle)
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

/** Without a half character at the end. */
function cut(text: string): string {
  return new TextDecoder().decode(new TextEncoder().encode(text).subarray(0, MAX_VALUE_BYTES - 3)).replace(/\uFFFD$/, "");
}
