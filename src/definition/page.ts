import { z } from "zod";
import { SignalboxError } from "../errors.ts";

export const MAX_PAGE_SIZE = 200;

/** Paging of every list (AIP-158): an opaque token that continues the same list. */
export const PageRequest = {
  pageSize: z.coerce.number().int().min(1).max(MAX_PAGE_SIZE).optional().describe("Rows per page, 50 unless told; 200 at most"),
  pageToken: z.string().max(1_024).optional().describe("`nextPageToken` of the page before"),
};

export interface Page<T> {
  items: T[];
  nextPageToken?: string | undefined;
}

export const DEFAULT_PAGE_SIZE = 50;

/** Position after which a list goes on: newest first by (time, id). */
export interface Cursor {
  at: string;
  id: string;
}

export function encodeCursor(cursor: Cursor): string {
  return Buffer.from(JSON.stringify([cursor.at, cursor.id])).toString("base64url");
}

export function decodeCursor(token: string): Cursor {
  try {
    const parsed: unknown = JSON.parse(Buffer.from(token, "base64url").toString("utf8"));
    const [at, id] = z.tuple([z.string(), z.string()]).parse(parsed);
    return { at, id };
  } catch (cause) {
    throw new SignalboxError("INVALID_PAGE_TOKEN", undefined, { cause });
  }
}
