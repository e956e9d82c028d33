import { randomUUID } from "node:crypto";
import { Timestamp, type Firestore } from "@google-cloud/firestore";
import type { Clock } from "../../ports/clock.ts";
import { ALL_SHARDS } from "./document-id.ts";
import { listen, tellAll } from "./listener.ts";
import type { Places } from "./places.ts";
import { QUERIES, queryOf } from "./queries.ts";

const LISTEN_AFTER_MS = 20;
// The server's clock stamps messages; ours may be off by as much.
const CLOCK_SKEW_MS = 60_000;
// Whatever else may have become due through other processes: a look now and then, as often as it costs nothing.
const LOOK_MS = 5_000;

/** Who wants to hear of mail: told at once of this process's messages, by one listener for all executions of those of others. */
export interface MailWatch {
  watch(tenant: string, executionId: string, onChange: () => void): () => void;
  watchAll(onChange: () => void): () => void;
  /** Marks messages of this process. */
  readonly sender: string;
  /** Tells the watchers in this process of a message that this process sent. */
  tell(message: { tenant: string; executionId: string }): void;
  close(): void;
}

export function createMailWatch({ firestore, clock, places }: { firestore: Firestore; clock: Clock; places: Places }): MailWatch {
  const byExecution = new Map<string, Set<() => void>>();
  const everything = new Set<() => void>();
  const sender = randomUUID();
  let stop: (() => void) | undefined;

  function tell({ tenant, executionId }: { tenant: string; executionId: string }): void {
    tellAll(byExecution.get(places.execution(tenant, executionId).path) ?? new Set());
  }

  function tellEverybody(): void {
    for (const subscribers of byExecution.values()) tellAll(subscribers);
    tellAll(everything);
  }

  function start(): () => void {
    const stopListening = listen({
      clock,
      delayMs: LISTEN_AFTER_MS,
      // One listener of new mail only: what was consumed is deleted, so the result stays small. A listener per running execution
      // would cost a stream and a read each.
      query: async () => queryOf(QUERIES.mailSince, firestore, { values: [ALL_SHARDS, Timestamp.fromMillis(clock.now() - CLOCK_SKEW_MS)] }),
      onDocuments(documents) {
        if (documents.length === 0) tellEverybody();
        for (const document of documents)
          tell({ tenant: String(document.get("tenant")), executionId: String(document.get("executionId")) });
        if (documents.some((document) => document.get("sender") !== sender)) tellAll(everything);
      },
    });
    let cancel = clock.after(LOOK_MS, look);
    function look(): void {
      cancel = clock.after(LOOK_MS, look);
      tellAll(everything);
    }
    return () => {
      stopListening();
      cancel();
    };
  }

  function subscribe(subscribers: Set<() => void>, onChange: () => void, onLast: () => void): () => void {
    const subscriber = (): void => onChange();
    subscribers.add(subscriber);
    stop ??= start();
    return () => {
      if (!subscribers.delete(subscriber)) return;
      if (subscribers.size === 0) onLast();
      if (everything.size > 0 || byExecution.size > 0) return;
      stop?.();
      stop = undefined;
    };
  }

  return {
    sender,
    tell,
    watch(tenant, executionId, onChange) {
      const key = places.execution(tenant, executionId).path;
      const subscribers = byExecution.get(key) ?? new Set();
      byExecution.set(key, subscribers);
      return subscribe(subscribers, onChange, () => byExecution.delete(key));
    },
    watchAll: (onChange) => subscribe(everything, onChange, () => {}),
    close() {
      stop?.();
      stop = undefined;
    },
  };
}
