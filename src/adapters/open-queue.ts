import { SignalboxError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Queue } from "../ports/queue.ts";
import { createLocalQueue } from "./local/queue.ts";

/** One line for the log. */
export type QueueLog = (message: string, fields: Record<string, unknown>) => void;

export interface QueueOptions {
  /** First part of the names of topics and subscriptions. */
  prefix: string;
  /** True: topics and subscriptions that are missing are created. */
  create: boolean;
  clock: Clock;
  log: QueueLog;
}

/** The queue a `SIGNALBOX_QUEUE` names: `local` or `pubsub:<project>`. NOT_FOUND where a topic is missing. */
export async function openQueue(spec: string, options: QueueOptions): Promise<Queue> {
  if (spec === "local") return createLocalQueue();
  const [, project] = /^pubsub:(.+)$/s.exec(spec) ?? [];
  if (project === undefined) throw new SignalboxError("INVALID_INPUT", `"${spec}" names no queue: it must be local or pubsub:<project>.`);
  // Imported only here: Google's client takes 0.4 s to load, and an embedded service needs none of it.
  const { openPubSubQueue } = await import("./pubsub/queue.ts");
  return await openPubSubQueue({ ...options, project });
}
