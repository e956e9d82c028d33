import type { ExecutionEvent } from "../../definition/event.ts";
import type { Clock } from "../../ports/clock.ts";
import type { Call } from "./caller.ts";
import { orderedId } from "./document-id.ts";
import { readEventPage } from "./event-page.ts";
import { listen, tellAll } from "./listener.ts";
import type { Places } from "./places.ts";
import { QUERIES, queryOf } from "./queries.ts";

// Most executions that somebody waits for end before that, in this process, which needs no listener.
const LISTEN_AFTER_MS = 150;

type Subscriber = (events: ExecutionEvent[]) => void;

/** Who wants to hear of an execution's events: told at once of this process's commits, by one listener of those of others. */
export interface EventWatch {
  watch(tenant: string, executionId: string, onChange: Subscriber): () => void;
  /** Tells the watchers in this process what a commit of this process wrote. */
  tell(tenant: string, executionId: string, events: ExecutionEvent[]): void;
  close(): void;
}

interface Watched {
  subscribers: Set<Subscriber>;
  stop: () => void;
}

export function createEventWatch({ clock, call, places }: { clock: Clock; call: Call; places: Places }): EventWatch {
  const watched = new Map<string, Watched>();

  function start(tenant: string, executionId: string): Watched {
    const subscribers = new Set<Subscriber>();
    const events = places.events(tenant, executionId);
    let last: string | undefined;
    const stop = listen({
      clock,
      delayMs: LISTEN_AFTER_MS,
      // The pages of events and not the record: no read for heartbeats, and the events come along.
      async query() {
        last ??= orderedId(Number((await call(async () => await places.execution(tenant, executionId).get())).get("lastSeq") ?? 0));
        return queryOf(QUERIES.events, events, { values: [last] });
      },
      onDocuments(documents) {
        last = documents.at(-1)?.id ?? last;
        // Subscribers are told of pages in order; one that cannot be read is found by their own look.
        void Promise.all(documents.map(readEventPage)).then(
          (pages) => tellAll(subscribers, pages.flat()),
          () => tellAll(subscribers, []),
        );
      },
    });
    return { subscribers, stop };
  }

  return {
    watch(tenant, executionId, onChange) {
      const key = places.execution(tenant, executionId).path;
      const present = watched.get(key) ?? start(tenant, executionId);
      watched.set(key, present);
      const subscriber: Subscriber = (events) => onChange(events);
      present.subscribers.add(subscriber);
      return () => {
        if (!present.subscribers.delete(subscriber) || present.subscribers.size > 0) return;
        present.stop();
        if (watched.get(key) === present) watched.delete(key);
      };
    },
    tell(tenant, executionId, events) {
      const present = watched.get(places.execution(tenant, executionId).path);
      if (present) tellAll(present.subscribers, events);
    },
    close() {
      for (const { stop } of watched.values()) stop();
      watched.clear();
    },
  };
}
