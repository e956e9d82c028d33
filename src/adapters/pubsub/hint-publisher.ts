import type { Topic } from "@google-cloud/pubsub";
import type { Clock } from "../../ports/clock.ts";
import type { WorkHint } from "../../ports/queue.ts";
import { CALL_DEADLINE_MS, within } from "./client.ts";
import type { QueueLog } from "../open-queue.ts";

/** Hints under way at once, about 200 bytes each; more are dropped, because an outage must not fill the memory. */
const MAX_UNDER_WAY = 10_000;
/** Hints wait this long for company, milliseconds: at 600 starts a second that is one call for two of them. */
const BATCH_MS = 3;
/** How long closing waits for what is under way, milliseconds. */
const FLUSH_MS = 2_000;

/** Sends hints and tells nobody how that went: the sweeper finds what they were about. */
export interface HintPublisher {
  publish(hint: WorkHint): void;
  /** Waits for what is under way, two seconds at most. */
  flush(): Promise<void>;
}

/** One line is logged when hints begin to get lost and one when they flow again, never one per hint. */
export function createHintPublisher({ topic, clock, log }: { topic: Topic; clock: Clock; log: QueueLog }): HintPublisher {
  const underWay = new Set<Promise<void>>();
  let lost = 0;

  topic.setPublishOptions({
    batching: { maxMilliseconds: BATCH_MS },
    gaxOpts: { timeout: CALL_DEADLINE_MS, maxRetries: 0 },
  });

  function onLost(reason: string): void {
    lost += 1;
    if (lost === 1) log("work hints get lost; the sweeper finds the work", { topic: topic.name, reason });
  }

  function onSent(): void {
    if (lost > 0) log("work hints flow again", { topic: topic.name, lost });
    lost = 0;
  }

  return {
    publish({ tenant, executionId, rank }) {
      if (underWay.size >= MAX_UNDER_WAY) return onLost(`${MAX_UNDER_WAY} hints are under way`);
      const sending = within(topic.publishMessage({ json: { tenant, executionId, rank } }), clock)
        .then(onSent, (error: unknown) => onLost(error instanceof Error ? error.message : String(error)))
        .finally(() => underWay.delete(sending));
      underWay.add(sending);
    },
    async flush() {
      // Those that do not end in time are lost like any other.
      await within(Promise.all([topic.flush(), ...underWay]), clock, FLUSH_MS).catch(() => {});
    },
  };
}
