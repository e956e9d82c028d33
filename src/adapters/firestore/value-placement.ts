import type { DocumentReference, Firestore } from "@google-cloud/firestore";
import { z } from "zod";
import { SignalboxError } from "../../errors.ts";
import { decode, encode } from "../codec.ts";
import { bundle, pack, unbundle, unpack, type Packed } from "./bundle.ts";
import { BlobRef, blobId, blobWrites, readBlobs } from "./checkpoint-blobs.ts";
import type { DocumentWrite } from "./document-write.ts";

// A value of this size is written once and referred to; below it, one more document costs more than the repeated bytes.
const INLINE_MAX_BYTES = 32 * 1024;
// All inline values of one document: leaves room for its index below the limit of 1 MiB.
const INLINE_TOTAL_BYTES = 640 * 1024;

/** Where a value of a packed document is: in its part of that number, or in the blob of that id. */
export const Place = z.union([z.number().int(), z.string()]);
export type Place = z.infer<typeof Place>;

const Contents = z.object({ index: z.unknown(), blobs: z.array(BlobRef) });

/** What a packed document comes to: its fields, the documents of new blobs, and every blob it refers to. */
export interface PlacedDocument {
  packed: Packed;
  newBlobs: DocumentWrite[];
  blobs: BlobRef[];
}

/** Collects the values of one packed document. A value is encoded when it is added: what changes later changes nothing. */
export interface Placement {
  add(value: unknown): Place;
  /** The document; large values become blobs of the thread, except those that are `known` to be stored. */
  pack(index: unknown, known: ReadonlyMap<string, BlobRef>): Promise<PlacedDocument>;
}

export function createPlacement(thread: DocumentReference): Placement {
  const parts: string[] = [];
  const large = new Map<string, string>();
  let inlineBytes = 0;
  return {
    add(value) {
      const part = encode(value);
      const size = Buffer.byteLength(part);
      if (size < INLINE_MAX_BYTES && inlineBytes + size <= INLINE_TOTAL_BYTES) {
        inlineBytes += size;
        return parts.push(part) - 1;
      }
      const id = blobId(part);
      large.set(id, part);
      return id;
    },
    async pack(index, known) {
      const blobs: BlobRef[] = [];
      const newBlobs: DocumentWrite[] = [];
      for (const [id, part] of large) {
        const present = known.get(id);
        const blob = present ? { ref: present, writes: [] } : await blobWrites(thread.collection("blobs"), id, part);
        blobs.push(blob.ref);
        newBlobs.push(...blob.writes);
      }
      return { packed: await pack(bundle({ index, blobs }, parts)), newBlobs, blobs };
    },
  };
}

/** A packed document, its blobs read: `value` decodes what is at a place. */
export interface PackedReader {
  readonly index: unknown;
  readonly blobs: BlobRef[];
  value(place: Place): unknown;
}

export async function openPacked(firestore: Firestore, thread: DocumentReference, packed: Packed): Promise<PackedReader> {
  const { index: contents, parts } = unbundle(await unpack(packed));
  const { index, blobs } = Contents.parse(contents);
  const large = await readBlobs(firestore, thread.collection("blobs"), blobs);
  return {
    index,
    blobs,
    value(place) {
      const part = typeof place === "number" ? parts[place] : large.get(place);
      if (part === undefined) throw new SignalboxError("INTERNAL", `A packed document below ${thread.path} misses a value.`);
      return decode(part);
    },
  };
}
