import { SignalboxError } from "../../errors.ts";
import type { EventTopic } from "../../ports/event-topic.ts";
import type { QueueOptions } from "../open-queue.ts";
import { ensureChannel } from "./channel.ts";
import { CALL_DEADLINE_MS, createPubSubClient, within } from "./client.ts";

/** Messages of one execution in one call; those of different executions never share one. */
const BATCH_MS = 3;
const CLOSE_MS = 2_000;

/**
 * Events to the topic `<prefix>-lifecycle`, ordered by key. Pub/Sub may be away when the service starts.
 *
 * NOT_FOUND where the topic is missing and may not be created.
 */
export async function openPubSubEventTopic({
  project,
  prefix,
  create,
  clock,
  log,
}: QueueOptions & { project: string }): Promise<EventTopic> {
  const client = createPubSubClient(project);
  const name = `${prefix}-lifecycle`;
  const topic = client.topic(name, {
    messageOrdering: true,
    batching: { maxMilliseconds: BATCH_MS },
    // Whoever relays tries again, and knows from where.
    gaxOpts: { timeout: CALL_DEADLINE_MS, maxRetries: 0 },
  });
  try {
    // No subscription: where nobody reads, messages would be kept and paid for.
    await ensureChannel({ client, name, clock, create, settings: undefined }, "topic");
  } catch (error) {
    if (!(error instanceof SignalboxError) || error.code !== "UNAVAILABLE") {
      await client.close();
      throw error;
    }
    log("Pub/Sub is away; events go out when it is back", { topic: name, reason: error.message });
  }

  return {
    async publish(key, messages) {
      const sent = messages.map(({ data, attributes }) =>
        within(topic.publishMessage({ data: Buffer.from(data), attributes: { ...attributes }, orderingKey: key }), clock),
      );
      const failed = (await Promise.allSettled(sent)).find((result) => result.status === "rejected");
      if (!failed) return;
      // The client refuses a key after a failure, so that nothing overtakes what failed. Whoever calls begins again there.
      topic.resumePublishing(key);
      throw failed.reason;
    },
    async close() {
      await within(topic.flush(), clock, CLOSE_MS).catch(() => {}); // what is not out is relayed again by others
      await within(client.close(), clock, CLOSE_MS).catch(() => {}); // a connection that cannot be closed ends with the process
    },
  };
}
