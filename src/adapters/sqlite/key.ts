/**
 * An id as a column can hold it. SQLite keeps UTF-8, which has no lone surrogates: two ids that differ only there would become one.
 * Documents need none of this, because JSON escapes them.
 */
export function toKey(id: string): string {
  return id.isWellFormed() && id.charCodeAt(0) !== 0 ? id : `\u0000${JSON.stringify(id)}`;
}

/** The id a column holds. */
export function fromKey(key: string): string {
  return key.charCodeAt(0) === 0 ? String(JSON.parse(key.slice(1))) : key;
}
