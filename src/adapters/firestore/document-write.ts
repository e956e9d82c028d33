import type { DocumentData, DocumentReference, Firestore, Timestamp, WriteBatch, WriteResult } from "@google-cloud/firestore";
import { SignalboxError } from "../../errors.ts";

/** Largest commit we send. Firestore's limit is 10 MiB, and its client retries a larger one for minutes instead of failing. */
const MAX_COMMIT_BYTES = 9 * 1024 * 1024;
/** What may go in several commits goes in commits of this size: each has its own five seconds, and the emulator takes no message over 4 MiB. */
export const SPLIT_BYTES = 3.5 * 1024 * 1024;
/** Largest document body: the limit is 1,048,487 bytes for a field and 1 MiB for all of it, names included. */
export const MAX_DOCUMENT_BYTES = 1_040_000;

/** One document of a commit. `bytes` is its size as far as it matters: the data of unknown length in it. */
export type DocumentWrite =
  | { kind: "create" | "set"; ref: DocumentReference; data: DocumentData; bytes: number }
  | { kind: "update"; ref: DocumentReference; data: DocumentData; bytes: number; ifUpdatedAt: Timestamp }
  | { kind: "delete"; ref: DocumentReference; bytes: 0; ifUpdatedAt?: Timestamp };

/** Refuses with TOO_LARGE what Firestore would refuse, or hang on, before anything is sent. */
export function checkSize(writes: readonly DocumentWrite[]): void {
  let total = 0;
  for (const write of writes) {
    total += write.bytes;
    if (write.bytes > MAX_DOCUMENT_BYTES) throw tooLarge(`A document of ${write.bytes} bytes`, MAX_DOCUMENT_BYTES);
  }
  if (total > MAX_COMMIT_BYTES) throw tooLarge(`A commit of ${total} bytes`, MAX_COMMIT_BYTES);
}

/** One atomic commit; no deadline of its own. Results are in the order of the writes. */
export async function commitOnce(firestore: Firestore, writes: readonly DocumentWrite[]): Promise<WriteResult[]> {
  const batch = firestore.batch();
  for (const write of writes) addTo(batch, write);
  return await batch.commit();
}

/** The writes in as few commits as their sizes allow, order kept. Only the last commit is atomic with what it holds. */
export function splitBySize(writes: readonly DocumentWrite[]): DocumentWrite[][] {
  const commits: DocumentWrite[][] = [];
  let room = 0;
  for (const write of writes) {
    if (write.bytes > room || commits.length === 0) {
      commits.push([]);
      room = SPLIT_BYTES;
    }
    commits.at(-1)?.push(write);
    room -= write.bytes;
  }
  return commits;
}

function addTo(batch: WriteBatch, write: DocumentWrite): void {
  switch (write.kind) {
    case "create":
      batch.create(write.ref, write.data);
      return;
    case "set":
      batch.set(write.ref, write.data);
      return;
    case "update":
      batch.update(write.ref, write.data, { lastUpdateTime: write.ifUpdatedAt });
      return;
    case "delete":
      batch.delete(write.ref, write.ifUpdatedAt ? { lastUpdateTime: write.ifUpdatedAt } : {});
      return;
    default:
      write satisfies never;
  }
}

function tooLarge(what: string, limit: number): SignalboxError {
  return new SignalboxError("TOO_LARGE", `${what} is more than the store takes (${limit} bytes).`);
}
