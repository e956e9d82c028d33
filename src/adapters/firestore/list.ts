import type { CollectionReference, DocumentSnapshot } from "@google-cloud/firestore";
import { decodeCursor, encodeCursor, type Cursor, type Page } from "../../definition/page.ts";
import type { Call } from "./caller.ts";
import { ALL_SHARDS, documentId } from "./document-id.ts";
import { listShape, queryOf, type ListShape } from "./queries.ts";

export interface ListRequest<T> {
  list: ListShape;
  collection: CollectionReference;
  /** Wanted values by field; undefined ones do not filter. */
  filters: Record<string, string | undefined>;
  /** Bounds of the time the list is ordered by: at or after, before. */
  range?: { since?: string | undefined; until?: string | undefined } | undefined;
  pageSize: number;
  pageToken?: string | undefined;
  /** The item of a document, undefined for one to pass over. */
  read: (snapshot: DocumentSnapshot) => Promise<T | undefined>;
  cursorOf: (item: T) => Cursor;
}

/** A page, newest first. It may be shorter than asked for only where it is the last one. */
export async function listPage<T>(call: Call, request: ListRequest<T>): Promise<Page<T>> {
  const { list, collection, pageSize, read, cursorOf } = request;
  const given = Object.entries(request.filters).filter(([, value]) => value !== undefined);
  const narrow = list.narrow.find((field) => request.filters[field] !== undefined);
  const filters = given.filter(([field]) => narrow === undefined || field === narrow);
  const shape = listShape(
    list,
    filters.map(([field]) => field),
  );
  const values = [ALL_SHARDS, ...filters.map(([, value]) => value)];
  const items: T[] = [];
  const cursor = request.pageToken === undefined ? undefined : decodeCursor(request.pageToken);
  const { since, until } = request.range ?? {};
  // No id is smaller than this one: what came at that very moment is left out.
  let after: readonly unknown[] | undefined = cursor ? [cursor.at, documentId(cursor.id)] : until === undefined ? undefined : [until, "!"];
  for (;;) {
    const limit = pageSize + 1 - items.length;
    const startAfter = after;
    const { docs } = await call(async () => await queryOf(shape, collection, { values, limit, startAfter }).get());
    const isInTime = (snapshot: DocumentSnapshot): boolean => since === undefined || String(snapshot.get(list.time)) >= since;
    const fitting = docs.filter((snapshot) => isInTime(snapshot) && given.every(([field, value]) => snapshot.get(field) === value));
    for (const item of await Promise.all(fitting.map(read))) if (item !== undefined) items.push(item);
    const last = docs.at(-1);
    if (items.length > pageSize) {
      const page = items.slice(0, pageSize);
      const end = page.at(-1);
      return end === undefined ? { items: page } : { items: page, nextPageToken: encodeCursor(cursorOf(end)) };
    }
    if (docs.length < limit || !last || !isInTime(last)) return { items };
    after = [last.get(list.time), last.id];
  }
}
