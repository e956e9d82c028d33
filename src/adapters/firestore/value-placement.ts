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

/** Where a value of a packed document is: in its part of that number, or in a blob. */
export const Place = z.union([z.number().int(), BlobRef]);
export type Place = z.infer<typeof Place>;

/** Collects the values of one packed document; large ones become blobs of the thread, written unless they are known. */
export interface Placement {
  add(value: unknown): Promise<Place>;
  /** Documents of new blobs, to be written before the packed document. */
  readonly documents: DocumentWrite[];
  /** Every blob referred to, new or known. */
  readonly blobs: BlobRef[];
  /** The packed document: `index` tells what the places mean. */
  pack(index: unknown): Promise<Packed>;
}

export function createPlacement(thread: DocumentReference, known: ReadonlyMap<string, BlobRef> = new Map()): Placement {
  const parts: string[] = [];
  const documents: DocumentWrite[] = [];
  const blobs = new Map<string, BlobRef>();
  let inlineBytes = 0;
  return {
    documents,
    get blobs() {
      return [...blobs.values()];
    },
    async add(value) {
      const part = encode(value);
      const size = Buffer.byteLength(part);
      if (size < INLINE_MAX_BYTES && inlineBytes + size <= INLINE_TOTAL_BYTES) {
        inlineBytes += size;
        return parts.push(part) - 1;
      }
      const id = blobId(part);
      const present = blobs.get(id) ?? known.get(id);
      if (present) {
        blobs.set(id, present);
        return present;
      }
      const { ref, writes } = await blobWrites(thread.collection("blobs"), id, part);
      documents.push(...writes);
      blobs.set(id, ref);
      return ref;
    },
    pack: (index) => pack(bundle(index, parts)),
  };
}

/** Reads packed documents: `value` decodes a place, once `load` has read the blobs. */
export interface PackedReader {
  readonly index: unknown;
  value(place: Place): unknown;
  load(places: readonly Place[]): Promise<BlobRef[]>;
}

export async function openPacked(firestore: Firestore, thread: DocumentReference, packed: Packed): Promise<PackedReader> {
  const { index, parts } = unbundle(await unpack(packed));
  let large = new Map<string, string>();
  return {
    index,
    async load(places) {
      const refs = places.filter((place) => typeof place !== "number");
      large = await readBlobs(firestore, thread.collection("blobs"), refs);
      return refs;
    },
    value(place) {
      const part = typeof place === "number" ? parts[place] : large.get(place.id);
      if (part === undefined) throw new SignalboxError("INTERNAL", `A packed document below ${thread.path} misses a value.`);
      return decode(part);
    },
  };
}
