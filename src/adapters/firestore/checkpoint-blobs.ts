import { createHash } from "node:crypto";
import type { CollectionReference, DocumentReference, Firestore } from "@google-cloud/firestore";
import { z } from "zod";
import { SignalboxError } from "../../errors.ts";
import { pack, unpack } from "./bundle.ts";
import type { DocumentWrite } from "./document-write.ts";

const CHUNK_BYTES = 900 * 1024;

/** Where a large value lies in the thread's `blobs`: `bytes` of it after compression, in pieces of 900 KiB. */
export const BlobRef = z.object({ id: z.string(), bytes: z.number().int(), z: z.boolean() });
export type BlobRef = z.infer<typeof BlobRef>;

/**
 * The name of a large value: its content's. LangGraph's channel versions count along one line only, so two forks of a thread give
 * the same version to different values.
 */
export function blobId(part: string): string {
  return createHash("sha256").update(part).digest("hex").slice(0, 40);
}

/** The reference to a large value and the documents that hold it. */
export async function blobWrites(blobs: CollectionReference, id: string, part: string): Promise<{ ref: BlobRef; writes: DocumentWrite[] }> {
  const { z: compressed, d } = await pack(Buffer.from(part));
  const ref = { id, bytes: d.length, z: compressed };
  const writes = chunksOf(blobs, ref).map((document, n): DocumentWrite => {
    const chunk = d.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES);
    return { kind: "set", ref: document, data: { d: chunk }, bytes: chunk.length };
  });
  return { ref, writes };
}

/** The values of several references, in one read of all their chunks. */
export async function readBlobs(firestore: Firestore, blobs: CollectionReference, refs: readonly BlobRef[]): Promise<Map<string, string>> {
  const found = new Map<string, string>();
  const wanted = [...new Map(refs.map((ref) => [ref.id, ref])).values()];
  if (wanted.length === 0) return found;
  const snapshots = await firestore.getAll(...wanted.flatMap((ref) => chunksOf(blobs, ref)));
  const bodies = new Map(snapshots.map((snapshot) => [snapshot.ref.path, snapshot.get("d") as unknown]));
  for (const ref of wanted) {
    const chunks = chunksOf(blobs, ref).map(({ path }) => {
      const chunk = bodies.get(path);
      if (!(chunk instanceof Uint8Array)) throw new SignalboxError("INTERNAL", `The stored value ${path} is missing.`);
      return chunk;
    });
    const bytes = await unpack({ z: ref.z, d: Buffer.concat(chunks) });
    found.set(ref.id, Buffer.from(bytes).toString("utf8"));
  }
  return found;
}

// The length is part of the name: another zstd version may cut the same value into other pieces.
function chunksOf(blobs: CollectionReference, { id, bytes }: BlobRef): DocumentReference[] {
  return Array.from({ length: Math.ceil(bytes / CHUNK_BYTES) }, (_, n) => blobs.doc(`${id}.${bytes}~${n}`));
}
