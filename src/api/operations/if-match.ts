import { SignalboxError } from "../../errors.ts";

const REVISION = /^"(\d{1,15})"$/;

/**
 * The revision an `If-Match` speaks of; undefined where any will do. A weak or foreign tag can never match: RFC 9110 asks for
 * the strong comparison here.
 */
export function ifMatchRevision(ifMatch: string | undefined): number | undefined {
  if (ifMatch === undefined || ifMatch.trim() === "*") return undefined;
  const match = REVISION.exec(ifMatch.trim());
  if (!match) {
    throw new SignalboxError("VERSION_MISMATCH", 'If-Match takes one strong ETag as the service gave it, like "3".');
  }
  return Number(match[1]);
}
