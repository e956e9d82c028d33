import { parentPort, receiveMessageOnPort, workerData } from "node:worker_threads";
import { runBatch, type Outcome } from "./batch.ts";
import { openForWriting, type Database } from "./database.ts";
import { toStoreError } from "./sqlite-error.ts";
import type { FromWriter, ToWriter } from "./writer-thread.ts";

/** Another process's commit is seen this much later at most. One look costs 5 us. */
const LOOK_MS = 50;
/** Batches in one transaction; more would only make the first of them wait longer. */
const MAX_BATCHES = 256;

const port = parentPort;
if (!port) throw new Error("writer-worker.ts runs in a worker thread only");
const send = (message: FromWriter): void => port.postMessage(message);

const { path } = workerData as { path: string }; // given by writer-thread.ts
const database = open();
if (database) serve(database);

function open(): Database | undefined {
  try {
    const opened = openForWriting(path);
    send({ kind: "ready" });
    return opened;
  } catch (error) {
    const { code, message } = toStoreError(error);
    send({ kind: "refused", code, message });
    return undefined;
  }
}

function serve(opened: Database): void {
  let timer: NodeJS.Timeout | undefined;
  let seenVersion = 0;

  const versionNow = (): number => opened.get<{ data_version: number }>("PRAGMA data_version")?.data_version ?? 0;

  // `data_version` changes with commits of other connections only: ours never wake us.
  function look(): void {
    const version = versionNow();
    if (version === seenVersion) return;
    seenVersion = version;
    send({ kind: "foreign" });
  }

  function watch(isOn: boolean): void {
    clearInterval(timer);
    timer = undefined;
    if (!isOn) return;
    seenVersion = versionNow();
    // What was written between the reader's last look and this one.
    send({ kind: "foreign" });
    timer = setInterval(look, LOOK_MS);
    timer.unref();
  }

  function write(first: ToWriter & { kind: "batch" }): ToWriter | undefined {
    // Everything that came while the last commit was being synced goes into the next one.
    const batches = [first];
    let other: ToWriter | undefined;
    while (batches.length < MAX_BATCHES && !other) {
      const next = receiveMessageOnPort(port!); // writer-thread.ts sends nothing else
      if (!next) break;
      if (next.message.kind === "batch") batches.push(next.message);
      else other = next.message;
    }
    const outcomes = runBatch(
      opened,
      batches.flatMap(({ writes }) => writes),
    );
    let from = 0;
    const done = batches.map(({ number, writes }): [number, Outcome[]] => [number, outcomes.slice(from, (from += writes.length))]);
    send({ kind: "done", batches: done });
    return other;
  }

  port!.on("message", (message: ToWriter) => {
    let next: ToWriter | undefined = message;
    while (next) {
      const current: ToWriter = next;
      next = undefined;
      if (current.kind === "batch") next = write(current);
      else if (current.kind === "watch") watch(current.isOn);
      else {
        clearInterval(timer);
        opened.close();
        port!.close();
      }
    }
  });
}
