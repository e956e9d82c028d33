import { Worker } from "node:worker_threads";
import { SignalboxError, type ErrorCode } from "../../errors.ts";
import type { Outcome, Write } from "./batch.ts";
import type { BatchRunner } from "./writer.ts";

/** What goes to the writer's thread. */
export type ToWriter = { kind: "batch"; number: number; writes: Write[] } | { kind: "watch"; isOn: boolean } | { kind: "close" };

/** What comes back. `foreign`: another process has written. */
export type FromWriter =
  | { kind: "ready" }
  | { kind: "refused"; code: ErrorCode; message: string }
  | { kind: "done"; batches: [number: number, outcomes: Outcome[]][] }
  | { kind: "foreign" };

export interface WriterThread extends BatchRunner {
  /** Whether to look for writes of other processes, every 50 ms. */
  watchOthers(isOn: boolean): void;
}

/**
 * Opens the file for writing in a thread of its own, so that an fsync (0.1 ms, at times 10) never stalls the event loop. The file
 * exists and is migrated when the promise resolves; UNAVAILABLE where it cannot be opened.
 */
export async function startWriterThread(path: string, onForeignWrite: () => void): Promise<WriterThread> {
  const worker = new Worker(new URL("./writer-worker.ts", import.meta.url), { workerData: { path } });
  const answers = new Map<number, { size: number; resolve(outcomes: Outcome[]): void }>();
  let nextNumber = 1;
  let gone: string | undefined;
  const ended = new Promise<void>((resolve) => {
    worker.on("error", (error) => end(error instanceof Error ? error.message : String(error)));
    worker.on("exit", (code) => {
      end(`exit code ${code}`);
      resolve();
    });
  });

  function end(reason: string): void {
    gone ??= reason;
    for (const { size, resolve } of answers.values()) resolve(refusals(size));
    answers.clear();
  }

  const refusals = (size: number): Outcome[] =>
    Array.from({ length: size }, () => [undefined, "UNAVAILABLE", `The store's writer ended: ${gone}`, {}]);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin; only windows have
  const send = (message: ToWriter): void => worker.postMessage(message);

  await new Promise<void>((resolve, reject) => {
    worker.once("message", (message: FromWriter) => {
      if (message.kind === "refused") reject(new SignalboxError(message.code, message.message));
      else resolve();
    });
    worker.once("error", (cause) => reject(new SignalboxError("UNAVAILABLE", "The store's writer did not start.", { cause })));
    worker.once("exit", () => reject(new SignalboxError("UNAVAILABLE", "The store's writer did not start.")));
  });
  worker.on("message", (message: FromWriter) => {
    if (message.kind === "foreign") return onForeignWrite();
    if (message.kind !== "done") return;
    for (const [number, outcomes] of message.batches) {
      answers.get(number)?.resolve(outcomes);
      answers.delete(number);
    }
    // Nothing on its way: a forgotten store must not keep the process alive.
    if (answers.size === 0) worker.unref();
  });
  worker.unref();

  return {
    run: (writes) =>
      new Promise((resolve) => {
        if (gone !== undefined) return resolve(refusals(writes.length));
        if (answers.size === 0) worker.ref();
        const number = nextNumber++;
        answers.set(number, { size: writes.length, resolve });
        send({ kind: "batch", number, writes });
      }),
    watchOthers: (isOn) => send({ kind: "watch", isOn }),
    async close() {
      worker.ref();
      send({ kind: "close" });
      await ended;
    },
  };
}
