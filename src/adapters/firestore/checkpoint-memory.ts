import type { DocumentReference } from "@google-cloud/firestore";
import type { BlobRef } from "./checkpoint-blobs.ts";

// One entry is what one put of a running thread needs to know of the put before.
const CHECKPOINTS_REMEMBERED = 2_000;

/**
 * Which blobs the checkpoints written or read last refer to. A put whose parent is among them does not write those again; one whose
 * parent is not writes them once more, which changes nothing.
 */
export interface BlobMemory {
  of(thread: DocumentReference, ns: string, checkpointId: string | null): ReadonlyMap<string, BlobRef>;
  keep(thread: DocumentReference, ns: string, checkpointId: string, blobs: readonly BlobRef[]): void;
  forget(thread: DocumentReference): void;
}

export function createBlobMemory(): BlobMemory {
  const checkpoints = new Map<string, ReadonlyMap<string, BlobRef>>();
  const keyOf = (thread: DocumentReference, ns: string, id: string): string => JSON.stringify([thread.path, ns, id]);
  const none: ReadonlyMap<string, BlobRef> = new Map();
  return {
    of: (thread, ns, id) => (id === null ? none : (checkpoints.get(keyOf(thread, ns, id)) ?? none)),
    keep(thread, ns, id, blobs) {
      if (blobs.length === 0) return;
      const oldest = checkpoints.keys().next();
      if (checkpoints.size >= CHECKPOINTS_REMEMBERED && !oldest.done) checkpoints.delete(oldest.value);
      checkpoints.set(keyOf(thread, ns, id), new Map(blobs.map((blob) => [blob.id, blob])));
    },
    forget(thread) {
      const start = JSON.stringify([thread.path]).slice(0, -1);
      for (const key of checkpoints.keys()) if (key.startsWith(start)) checkpoints.delete(key);
    },
  };
}
