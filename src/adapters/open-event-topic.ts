import { SignalboxError } from "../errors.ts";
import type { EventTopic } from "../ports/event-topic.ts";
import type { QueueOptions } from "./open-queue.ts";

/** The topic a `SIGNALBOX_EVENTS_OUT` names: undefined for `off`, else `pubsub:<project>`. NOT_FOUND where it is missing. */
export async function openEventTopic(spec: string, options: QueueOptions): Promise<EventTopic | undefined> {
  if (spec === "off") return undefined;
  const [, project] = /^pubsub:(.+)$/s.exec(spec) ?? [];
  if (project === undefined)
    throw new SignalboxError("INVALID_INPUT", `"${spec}" names no topic for events: it must be off or pubsub:<project>.`);
  const { openPubSubEventTopic } = await import("./pubsub/event-topic.ts");
  return await openPubSubEventTopic({ ...options, project });
}
