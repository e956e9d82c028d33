import type { Message, PubSub } from "@google-cloud/pubsub";
import type { Clock } from "../../ports/clock.ts";
import type { QueueLog } from "../open-queue.ts";
import { pullOptions, within } from "./client.ts";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** Longest time to wait for the end of a stream, milliseconds. */
const CLOSE_MS = 3_000;

export interface PullOptions {
  client: PubSub;
  subscription: string;
  clock: Clock;
  log: QueueLog;
  /** Unacknowledged messages at once. */
  maxMessages: number;
  /** Asked before the stream is opened again after a failure. */
  ensure(): Promise<void>;
  onMessage(message: Message): void;
}

/**
 * A streaming pull that does not end by itself: the client gives up on some errors (a subscription that was deleted), and then it is
 * opened again with growing pauses. Returns the way to end it; messages that were not acknowledged go back at once.
 */
export function pull({ client, subscription, clock, log, maxMessages, ensure, onMessage }: PullOptions): () => Promise<void> {
  let isStopped = false;
  let pauseMs = FIRST_PAUSE_MS;
  let cancelPause = (): void => {};
  let current = open();

  function open() {
    const opened = client.subscription(subscription, pullOptions(maxMessages));
    opened.on("message", (message: Message) => {
      pauseMs = FIRST_PAUSE_MS;
      onMessage(message);
    });
    opened.on("error", (error: Error) => {
      if (isStopped || opened !== current) return;
      log("the pull broke off and is opened again", { subscription: opened.name, error: error.message, pauseMs });
      opened.removeAllListeners("message");
      cancelPause = clock.after(pauseMs, () => void reopen());
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    });
    return opened;
  }

  async function reopen(): Promise<void> {
    // Whether it failed shows when the stream is opened: that error leads here again.
    await ensure().catch(() => {});
    if (!isStopped) current = open();
  }

  return async () => {
    isStopped = true;
    cancelPause();
    // A stream whose server is away may hang: what it holds goes back when its deadline is over.
    await within(current.close(), clock, CLOSE_MS).catch(() => {});
  };
}
