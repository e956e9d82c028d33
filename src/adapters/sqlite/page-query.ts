import type { SQLInputValue } from "node:sqlite";
import { decodeCursor, encodeCursor, type Page } from "../../definition/page.ts";
import type { Database } from "./database.ts";
import { fromKey } from "./key.ts";

export interface PageQuery {
  table: string;
  /** What is selected beside the position. */
  columns: string;
  /** Column of the RFC 3339 time the list is ordered by, newest first. */
  time: string;
  /** Conditions that hold: `column = value`; undefined values are no condition. */
  equal: Record<string, string | undefined>;
  /** Further conditions in SQL. */
  where?: { sql: string; parameters: SQLInputValue[] }[];
  pageSize: number;
  pageToken?: string | undefined;
}

/** One page, newest first by (time, id): a key range of one index, so that rows added meanwhile neither repeat nor hide any. */
export function readPage<Row, T>(database: Database, query: PageQuery, item: (row: Row) => T): Page<T> {
  const conditions: string[] = [];
  const parameters: SQLInputValue[] = [];
  for (const [column, value] of Object.entries(query.equal)) {
    if (value === undefined) continue;
    conditions.push(`${column} = ?`);
    parameters.push(value);
  }
  for (const { sql, parameters: more } of query.where ?? []) {
    conditions.push(sql);
    parameters.push(...more);
  }
  if (query.pageToken !== undefined) {
    const { at, id } = decodeCursor(query.pageToken);
    conditions.push(`(${query.time}, id) < (?, ?)`);
    parameters.push(at, id);
  }
  const rows = database.all<Row & { at: string; id: string }>(
    `SELECT ${query.columns}, ${query.time} AS at, id FROM ${query.table} WHERE ${conditions.join(" AND ")} ORDER BY ${query.time} DESC, id DESC LIMIT ?`,
    [...parameters, query.pageSize + 1],
  );
  const items = rows.slice(0, query.pageSize);
  const last = rows.length > query.pageSize ? items.at(-1) : undefined;
  return { items: items.map(item), ...(last && { nextPageToken: encodeCursor({ at: last.at, id: fromKey(last.id) }) }) };
}
