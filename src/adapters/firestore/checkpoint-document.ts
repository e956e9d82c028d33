import type { DocumentReference, DocumentSnapshot, Firestore } from "@google-cloud/firestore";
import type { Checkpoint, CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import { z } from "zod";
import { SignalboxError } from "../../errors.ts";
import type { CheckpointPut } from "../../ports/store.ts";
import type { Packed } from "./bundle.ts";
import type { BlobRef } from "./checkpoint-blobs.ts";
import { documentId, invertedId } from "./document-id.ts";
import type { DocumentWrite } from "./document-write.ts";
import { placeTaskWrites, readTaskWrites, TaskWriteIndex, type TaskWrite } from "./task-writes.ts";
import { createPlacement, openPacked, Place } from "./value-placement.ts";

/** A checkpoint as its document holds it: `p` is the parent's id, `d` (zstd if `z`) everything else. */
export interface StoredCheckpoint {
  threadId: string;
  ns: string;
  parentId: string | undefined;
  checkpoint: Checkpoint;
  metadata: CheckpointMetadata;
  /** Writes of this checkpoint's tasks that came in the same commit. */
  writes: TaskWrite[];
  /** Writes of the parent's tasks that led here, kept in the child: one document less per superstep. */
  parentWrites: TaskWrite[];
  blobs: BlobRef[];
}

const CheckpointIndex = z.object({
  thread: z.string(),
  ns: z.string(),
  checkpoint: Place,
  metadata: Place,
  channels: z.array(z.tuple([z.string(), Place])),
  writes: TaskWriteIndex,
  parentWrites: TaskWriteIndex,
});
type CheckpointIndex = z.infer<typeof CheckpointIndex>;

export interface CheckpointToStore {
  thread: DocumentReference;
  threadId: string;
  put: CheckpointPut;
  writes?: readonly TaskWrite[];
  parentWrites?: readonly TaskWrite[];
}

/** Documents of one stored thing: its own, the large values it brings, and all the large values it refers to. */
export interface StoredDocuments {
  document: DocumentWrite;
  newBlobs: DocumentWrite[];
  blobs: BlobRef[];
}

/** Makes documents of something that was encoded already; `known` blobs (those of the parent) are not written again. */
export type Finish = (known: ReadonlyMap<string, BlobRef>) => Promise<StoredDocuments>;

const NOTHING_KNOWN: ReadonlyMap<string, BlobRef> = new Map();

/** Encodes a checkpoint at once, before anybody can change it. */
export function checkpointDocument({ thread, threadId, put, writes = [], parentWrites = [] }: CheckpointToStore): Finish {
  const { channel_values: values, ...checkpoint } = put.checkpoint;
  const placement = createPlacement(thread);
  // Without a parent, a value that is not new is one nobody ever put: LangGraph's conformance suite wants it left out.
  const kept = Object.entries(values).filter(([channel]) => put.parentId !== null || Object.hasOwn(put.newVersions, channel));
  const index: CheckpointIndex = {
    thread: threadId,
    ns: put.ns,
    checkpoint: placement.add(checkpoint),
    metadata: placement.add(put.metadata),
    channels: kept.map(([channel, value]) => [channel, placement.add(value)]),
    writes: placeTaskWrites(placement, writes),
    parentWrites: placeTaskWrites(placement, parentWrites),
  };
  const ref = namespaceRef(thread, put.ns).collection("checkpoints").doc(invertedId(put.checkpoint.id));
  return async (known) => {
    const { packed, newBlobs, blobs } = await placement.pack(index, known);
    return { document: { kind: "set", ref, data: { p: put.parentId, ...packed }, bytes: packed.d.length }, newBlobs, blobs };
  };
}

/** Encodes at once writes that come without their checkpoint; the document's name sorts it to that checkpoint. */
export function taskWriteDocument(
  thread: DocumentReference,
  { ns, checkpointId, writes }: { ns: string; checkpointId: string; writes: readonly TaskWrite[] },
): () => Promise<StoredDocuments> {
  const placement = createPlacement(thread);
  const index = placeTaskWrites(placement, writes);
  const collection = namespaceRef(thread, ns).collection("writes");
  // A name of its own for each: who was first is told by the server's create time, so no read and no transaction is needed.
  const ref = collection.doc(`${invertedId(checkpointId)}~${collection.doc().id}`);
  return async () => {
    const { packed, newBlobs, blobs } = await placement.pack(index, NOTHING_KNOWN);
    return { document: { kind: "set", ref, data: { ...packed }, bytes: packed.d.length }, newBlobs, blobs };
  };
}

/** The checkpoint in a document, its large values read in. */
export async function readCheckpoint(
  firestore: Firestore,
  thread: DocumentReference,
  snapshot: DocumentSnapshot,
): Promise<StoredCheckpoint> {
  const reader = await openPacked(firestore, thread, packedOf(snapshot));
  const index = CheckpointIndex.parse(reader.index);
  const parentId: unknown = snapshot.get("p");
  return {
    threadId: index.thread,
    ns: index.ns,
    parentId: typeof parentId === "string" ? parentId : undefined,
    checkpoint: {
      ...(reader.value(index.checkpoint) as Omit<Checkpoint, "channel_values">), // what `checkpointDocuments` placed there
      channel_values: Object.fromEntries(index.channels.map(([channel, place]) => [channel, reader.value(place)])),
    },
    metadata: reader.value(index.metadata) as CheckpointMetadata, // likewise
    writes: readTaskWrites(reader, index.writes),
    parentWrites: readTaskWrites(reader, index.parentWrites),
    blobs: reader.blobs,
  };
}

export async function readTaskWriteDocument(
  firestore: Firestore,
  thread: DocumentReference,
  snapshot: DocumentSnapshot,
): Promise<TaskWrite[]> {
  const reader = await openPacked(firestore, thread, packedOf(snapshot));
  return readTaskWrites(reader, TaskWriteIndex.parse(reader.index));
}

/** The place of one checkpoint namespace: `checkpoints` and `writes` lie below it. */
export function namespaceRef(thread: DocumentReference, ns: string): DocumentReference {
  return thread.collection("ns").doc(documentId(ns));
}

function packedOf(snapshot: DocumentSnapshot): Packed {
  const d: unknown = snapshot.get("d");
  if (!(d instanceof Uint8Array)) throw new SignalboxError("INTERNAL", `${snapshot.ref.path} is not a document of ours.`);
  return { z: snapshot.get("z") === true, d };
}
