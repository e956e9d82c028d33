import type { Query, QueryDocumentSnapshot } from "@google-cloud/firestore";
import type { Clock } from "../../ports/clock.ts";
import { withoutDeadline } from "./deadline.ts";

// A listener whose stream died without an error says nothing for ever; asking anew costs one read.
const SILENCE_MS = 30_000;
const RETRY_MS = 1_000;

interface ListenerOptions {
  clock: Clock;
  /** Waits this long before the first attempt: who goes before that costs nothing. */
  delayMs: number;
  /** The query to listen to from now on; called again after an error and after half a minute of silence. */
  query: () => Promise<Query>;
  /** New documents; none when the listener was attached and something may have happened before. */
  onDocuments: (documents: readonly QueryDocumentSnapshot[]) => void;
}

/** Listens to a query until the returned function is called, whatever happens to the stream. */
export function listen({ clock, delayMs, query, onDocuments }: ListenerOptions): () => void {
  let stopped = false;
  let detach = (): void => {};
  let cancel = clock.after(delayMs, attach);

  function again(ms: number): void {
    cancel();
    cancel = clock.after(ms, attach);
  }

  function attach(): void {
    detach();
    detach = (): void => {};
    // A query that cannot be made (the store is away) is made later: failures end here.
    void withoutDeadline(() =>
      query().then(subscribe, () => {
        if (!stopped) again(RETRY_MS);
      }),
    );
  }

  function subscribe(ready: Query): void {
    if (stopped) return;
    let isFirst = true;
    detach = withoutDeadline(() =>
      ready.onSnapshot(
        (snapshot) => {
          again(SILENCE_MS);
          const added = snapshot.docChanges().flatMap((change) => (change.type === "added" ? [change.doc] : []));
          if (isFirst || added.length > 0) onDocuments(added);
          isFirst = false;
        },
        () => again(RETRY_MS),
      ),
    );
    again(SILENCE_MS);
  }

  return () => {
    stopped = true;
    cancel();
    detach();
  };
}

/** Calls every subscriber; one that throws harms no other. */
export function tellAll<A extends unknown[]>(subscribers: ReadonlySet<(...given: A) => void>, ...given: A): void {
  for (const subscriber of subscribers) {
    try {
      withoutDeadline(() => subscriber(...given));
    } catch {
      continue; // a subscriber's own fault, reported nowhere but in its own code
    }
  }
}
