import type { ExecutionEvent } from "../../definition/event.ts";
import type { ExecutionRef } from "../../ports/store.ts";
import type { Connection } from "./connection.ts";
import { fromKey } from "./key.ts";
import { createWatchers } from "./watchers.ts";

/** Who wants to hear of what: fed by acknowledged commits of this handle, and by looking at what other processes wrote. */
export interface Changes {
  watchEvents(execution: ExecutionRef, onChange: (events: ExecutionEvent[]) => void): () => void;
  watchInbox(execution: ExecutionRef, onChange: () => void): () => void;
  watchOthers(onChange: () => void): () => void;
  /** A commit of this handle is durable; `page` is the number of its event page. */
  committed(execution: ExecutionRef, page: number | null, events: ExecutionEvent[]): void;
  /** A message of this handle is durable. */
  sent(execution: ExecutionRef, message: number | null): void;
  /** Another process has written: finds out for whom. */
  foreign(): void;
}

const OTHERS = "others";
const NEW_PAGES = /* sql */ `SELECT max(page) number, e.tenant, e.id FROM event_pages p JOIN executions e ON e.number = p.execution
  WHERE page > ? GROUP BY p.execution`;
const NEW_MESSAGES = "SELECT max(number) number, tenant, execution_id id FROM inbox WHERE number > ? GROUP BY tenant, execution_id";

const keyOf = ({ tenant, id }: ExecutionRef): string => JSON.stringify([tenant, id]);

export function createChanges(connection: () => Connection): Changes {
  let isWatching = false;
  // Numbers up to which everybody was told. Ours count only where nothing of another process lies between.
  const seen = { event_pages: 0, inbox: 0 };
  const events = createWatchers<[ExecutionEvent[]]>(counted);
  const inbox = createWatchers<[]>(counted);
  const others = createWatchers<[]>(counted);

  function counted(): void {
    const wanted = events.size + inbox.size + others.size > 0;
    if (wanted === isWatching) return;
    isWatching = wanted;
    if (wanted) void rewind();
    connection().watchOthers(wanted);
  }

  /** What lies before the first watcher is news to nobody. */
  function rewind(): Promise<void> {
    return reading((database) => {
      for (const table of ["event_pages", "inbox"] as const) {
        seen[table] = database.get<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = ?", [table])?.seq ?? 0;
      }
    });
  }

  async function reading(work: Parameters<Connection["read"]>[0]): Promise<void> {
    try {
      await connection().read(work);
    } catch {
      // Closed meanwhile, or unreadable for a moment: a watcher looks by itself now and then.
    }
  }

  async function foreign(): Promise<void> {
    await reading((database) => {
      tellNew("event_pages", NEW_PAGES, (key) => events.tell(key, []));
      tellNew("inbox", NEW_MESSAGES, (key) => inbox.tell(key));

      function tellNew(table: keyof typeof seen, sql: string, tell: (key: string) => void): void {
        const rows = database.all<{ number: number; tenant: string; id: string }>(sql, [seen[table]]);
        for (const row of rows) seen[table] = Math.max(seen[table], row.number);
        for (const { tenant, id } of rows) tell(keyOf({ tenant: fromKey(tenant), id: fromKey(id) }));
      }
    });
    others.tell(OTHERS);
  }

  return {
    watchEvents: (execution, onChange) => events.add(keyOf(execution), onChange),
    watchInbox: (execution, onChange) => inbox.add(keyOf(execution), onChange),
    watchOthers: (onChange) => others.add(OTHERS, onChange),
    committed(execution, page, newEvents) {
      if (page === null) return;
      if (page === seen.event_pages + 1) seen.event_pages = page;
      if (events.size > 0) events.tell(keyOf(execution), newEvents);
    },
    sent(execution, message) {
      if (message === null) return;
      if (message === seen.inbox + 1) seen.inbox = message;
      if (inbox.size > 0) inbox.tell(keyOf(execution));
    },
    foreign: () => void foreign(),
  };
}
