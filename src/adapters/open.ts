import { SignalboxError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { openSqliteStore } from "./sqlite/store.ts";

export interface OpenStoreOptions {
  /** Who claims executions through this store; unique among living processes. */
  ownerId: string;
  clock: Clock;
  /** Told of the store's own time where it has one: its epoch milliseconds, and when it was asked for as `clock` says. */
  onTime?: ((theirs: number, askedAt: number) => void) | undefined;
}

/**
 * The store a `SIGNALBOX_STORE` names: `sqlite:<path>`, `sqlite::memory:` or `firestore:<project>[/<database>]`. UNAVAILABLE where it
 * cannot be opened.
 */
export async function openStore(spec: string, options: OpenStoreOptions): Promise<Store> {
  const [, driver, place = ""] = /^([a-z]+):(.+)$/s.exec(spec) ?? [];
  switch (driver) {
    case "sqlite":
      return await openSqliteStore({ ...options, path: place });
    case "firestore": {
      // Imported only here: Google's clients take 0.4 s to load, and an embedded service needs none of them.
      const { openFirestoreStore } = await import("./firestore/store.ts");
      const [project = "", databaseId] = place.split("/");
      return openFirestoreStore({ ...options, project, databaseId });
    }
    default:
      throw new SignalboxError(
        "INVALID_INPUT",
        `"${spec}" names no store: it must be sqlite:<path>, sqlite::memory: or firestore:<project>[/<database>].`,
      );
  }
}
