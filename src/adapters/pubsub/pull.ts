import type { Message, PubSub } from "@google-cloud/pubsub";
import type { Clock } from "../../ports/clock.ts";
import type { QueueLog } from "../open-queue.ts";
import { pullOptions, within } from "./client.ts";

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 30_000;
/** Longest time to wait for the end of a stream, milliseconds. */
const CLOSE_MS = 3_000;
/** A stream that brought nothing for so long is opened anew: one that fell silent without an error looks just like an idle one. */
const SILENT_MS = 60_000;

export interface PullOptions {
  client: PubSub;
  subscription: string;
  clock: Clock;
  log: QueueLog;
  /** Unacknowledged messages at once. */
  maxMessages: number;
  /** Asked before the stream is opened again after a failure. */
  ensure(): Promise<void>;
  /** True while messages of the stream are worked on: then it is not opened anew, which would give them back. */
  isBusy?: (() => boolean) | undefined;
  onMessage(message: Message): void;
}

export interface Pull {
  /** Takes nothing more until `resume`. Messages that were not acknowledged go back at once. */
  pause(): void;
  resume(): void;
  /** Ends it; messages that were not acknowledged go back at once. */
  stop(): Promise<void>;
}

/**
 * A streaming pull that does not end by itself: the client gives up on some errors (a subscription that was deleted), and then it is
 * opened again with growing pauses.
 */
export function pull({ client, subscription, clock, log, maxMessages, ensure, isBusy = () => false, onMessage }: PullOptions): Pull {
  let isStopped = false;
  let isPaused = false;
  let pauseMs = FIRST_PAUSE_MS;
  let cancelPause = (): void => {};
  let lastMessageAt = clock.now();
  let current = open();
  let cancelLook = clock.after(SILENT_MS, lookAtSilence);

  function open() {
    const opened = client.subscription(subscription, pullOptions(maxMessages));
    opened.on("message", (message: Message) => {
      pauseMs = FIRST_PAUSE_MS;
      lastMessageAt = clock.now();
      if (isPaused) message.nack();
      else onMessage(message);
    });
    opened.on("error", (error: Error) => {
      if (isStopped || isPaused || opened !== current) return;
      log("the pull broke off and is opened again", { subscription: opened.name, error: error.message, pauseMs });
      opened.removeAllListeners("message");
      cancelPause = clock.after(pauseMs, () => void reopen(opened));
      pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
    });
    return opened;
  }

  function lookAtSilence(): void {
    cancelLook = clock.after(SILENT_MS, lookAtSilence);
    if (isPaused || isBusy() || clock.now() - lastMessageAt < SILENT_MS) return;
    lastMessageAt = clock.now();
    const silent = current;
    void close().then(() => reopen(silent));
  }

  async function reopen(ended: typeof current): Promise<void> {
    // Whether it failed shows when the stream is opened: that error leads here again.
    await ensure().catch(() => {});
    if (!isStopped && !isPaused && current === ended) current = open();
  }

  function close(): Promise<void> {
    cancelPause();
    // A stream whose server is away may hang: what it holds goes back when its deadline is over.
    return within(current.close(), clock, CLOSE_MS).catch(() => {});
  }

  return {
    pause() {
      if (isPaused || isStopped) return;
      isPaused = true;
      void close(); // never rejects
    },
    resume() {
      if (!isPaused || isStopped) return;
      isPaused = false;
      current = open();
    },
    async stop() {
      isStopped = true;
      cancelLook();
      await close();
    },
  };
}
