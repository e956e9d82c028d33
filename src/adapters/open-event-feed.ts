import { SignalboxError } from "../errors.ts";
import type { EventFeed } from "../ports/event-feed.ts";
import type { QueueOptions } from "./open-queue.ts";

/** The feed a `SIGNALBOX_EVENTS` names: undefined for `off`, else `pubsub:<project>`. */
export async function openEventFeed(spec: string, options: QueueOptions): Promise<EventFeed | undefined> {
  if (spec === "off") return undefined;
  const [, project] = /^pubsub:(.+)$/s.exec(spec) ?? [];
  if (project === undefined)
    throw new SignalboxError("INVALID_INPUT", `"${spec}" names no event feed: it must be off or pubsub:<project>.`);
  const { openPubSubEventFeed } = await import("./pubsub/event-feed.ts");
  return await openPubSubEventFeed({ ...options, project });
}
