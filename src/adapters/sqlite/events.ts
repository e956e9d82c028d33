import type { ExecutionEvent } from "../../definition/event.ts";
import type { Json } from "../../definition/json.ts";
import type { EventStore } from "../../ports/store.ts";
import type { Changes } from "./changes.ts";
import type { Connection } from "./connection.ts";
import type { Database } from "./database.ts";

export function sqliteEvents({ read }: Connection, changes: Changes): EventStore {
  return {
    after: (tenant, id, afterSeq, limit) => read((database) => readAfter(database, tenant, id, afterSeq, limit)),
    before: (tenant, id, beforeSeq, limit) => read((database) => readBefore(database, tenant, id, beforeSeq, limit)),
    pagesOf: (tenant, ids, page) =>
      read((database) => {
        const events = (id: string): ExecutionEvent[] =>
          "afterSeq" in page
            ? readAfter(database, tenant, id, page.afterSeq, page.limit)
            : readBefore(database, tenant, id, page.beforeSeq, page.limit);
        return new Map(ids.map((id) => [id, events(id)]));
      }),
    watch: (tenant, id, onChange) => changes.watchEvents({ tenant, id }, onChange),
    values: (tenant, id, refs) =>
      read((database) => {
        const rows = refs.map((ref) => [ref, database.get<Doc>(VALUE, [tenant, id, ref])] as const);
        return new Map(rows.flatMap(([ref, row]) => (row ? [[ref, JSON.parse(row.doc) as Json]] : [])));
      }),
  };
}

interface Doc {
  doc: string;
}

const NUMBER = "(SELECT number FROM executions WHERE tenant = ?1 AND id = ?2)";
/** Pages from the one that holds the next event on. */
const AFTER = /* sql */ `
  SELECT doc FROM event_pages WHERE execution = ${NUMBER} AND first_seq >= coalesce(
    (SELECT max(first_seq) FROM event_pages WHERE execution = ${NUMBER} AND first_seq <= ?3 + 1), 0)
  ORDER BY first_seq LIMIT ?4`;
const BEFORE = `SELECT doc FROM event_pages WHERE execution = ${NUMBER} AND first_seq < ?3 ORDER BY first_seq DESC LIMIT ?4`;
const VALUE = `SELECT doc FROM execution_values WHERE execution = ${NUMBER} AND ref = ?3`;

function readAfter(database: Database, tenant: string, id: string, afterSeq: number, limit: number): ExecutionEvent[] {
  // Every page holds an event, the first one perhaps none that is asked for.
  const events = database.all<Doc>(AFTER, [tenant, id, afterSeq, limit + 1]).flatMap(eventsOf);
  return events.filter((event) => event.seq > afterSeq).slice(0, limit);
}

function readBefore(database: Database, tenant: string, id: string, beforeSeq: number, limit: number): ExecutionEvent[] {
  const pages = database.all<Doc>(BEFORE, [tenant, id, beforeSeq, limit]);
  const events = pages.toReversed().flatMap(eventsOf);
  return events.filter((event) => event.seq < beforeSeq).slice(-limit);
}

function eventsOf({ doc }: Doc): ExecutionEvent[] {
  return JSON.parse(doc) as ExecutionEvent[]; // written by `pageOf`
}
