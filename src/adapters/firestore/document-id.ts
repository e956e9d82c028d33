import { createHash } from "node:crypto";

const LONGEST_PLAIN_ID = 600;

/**
 * Any text as a document id, one to one. Firestore refuses "", ".", "..", "/", ids like `__x__`, ids over 1,500 bytes, and answers
 * lone surrogates with an UNKNOWN error that is retried for a minute.
 */
export function documentId(text: string): string {
  if (!text.isWellFormed() || text.length > LONGEST_PLAIN_ID) return `%h${createHash("sha256").update(text, "utf16le").digest("hex")}`;
  if (text === "") return "%e";
  return encodeURIComponent(text).replaceAll("~", "%7E").replace(/^\./, "%2E").replace(/^__/, "%5F_");
}

/** A number as a document id whose order is the number's; up to 10^12. */
export function orderedId(number: number): string {
  return String(number).padStart(12, "0");
}

/**
 * A checkpoint id (uuid6, ascending by time) as a document id with the newest first. Firestore has no descending key scan without an
 * index, so the hex digits are flipped (15 - d); other characters are escaped and keep their order.
 */
export function invertedId(checkpointId: string): string {
  return documentId(checkpointId.replace(/[0-9a-f]/g, (digit) => (15 - Number.parseInt(digit, 16)).toString(16)));
}

export const SHARDS = 16;

/** Every shard, for queries over all of them: one call, merged by the server. */
export const ALL_SHARDS: readonly number[] = Array.from({ length: SHARDS }, (_, shard) => shard);

/** The shard of an id: index entries in time order are spread over 16 ranges, 500 writes/s each. */
export function shardOf(id: string): number {
  return (createHash("sha256").update(id, "utf16le").digest()[0] ?? 0) % SHARDS;
}
