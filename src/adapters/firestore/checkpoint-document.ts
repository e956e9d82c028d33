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

export interface CheckpointDocument {
  thread: DocumentReference;
  threadId: string;
  put: CheckpointPut;
  writes?: readonly TaskWrite[];
  parentWrites?: readonly TaskWrite[];
  /** Blobs that are known to be stored: those of the parent. */
  known?: ReadonlyMap<string, BlobRef>;
}

/** The documents that store a checkpoint, its own last; and the blobs it refers to, new or not. */
export async function checkpointDocuments(options: CheckpointDocument): Promise<{ documents: DocumentWrite[]; blobs: BlobRef[] }> {
  const { thread, threadId, put, writes = [], parentWrites = [], known } = options;
  const { channel_values: values, ...checkpoint } = put.checkpoint;
  const placement = createPlacement(thread, known);
  const index: CheckpointIndex = {
    thread: threadId,
    ns: put.ns,
    checkpoint: await placement.add(checkpoint),
    metadata: await placement.add(put.metadata),
    channels: [],
    writes: await placeTaskWrites(placement, writes),
    parentWrites: await placeTaskWrites(placement, parentWrites),
  };
  for (const [channel, value] of Object.entries(values)) {
    // Without a parent, a value that is not new is one nobody ever put: LangGraph's conformance suite wants it left out.
    if (put.parentId === null && !Object.hasOwn(put.newVersions, channel)) continue;
    index.channels.push([channel, await placement.add(value)]);
  }
  const packed = await placement.pack(index);
  const ref = namespaceRef(thread, put.ns).collection("checkpoints").doc(invertedId(put.checkpoint.id));
  const document: DocumentWrite = { kind: "set", ref, data: { p: put.parentId, ...packed }, bytes: packed.d.length };
  return { documents: [...placement.documents, document], blobs: placement.blobs };
}

/** The checkpoint in a document, its large values read in. */
export async function readCheckpoint(firestore: Firestore, thread: DocumentReference, snapshot: DocumentSnapshot): Promise<StoredCheckpoint> {
  const reader = await openPacked(firestore, thread, packedOf(snapshot));
  const index = CheckpointIndex.parse(reader.index);
  const blobs = await reader.load(placesOf(index));
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
    blobs,
  };
}

/** The document of writes that come without their checkpoint, under a name that sorts it to that checkpoint. */
export async function taskWriteDocuments(
  thread: DocumentReference,
  { ns, checkpointId, writes }: { ns: string; checkpointId: string; writes: readonly TaskWrite[] },
): Promise<DocumentWrite[]> {
  const placement = createPlacement(thread);
  const packed = await placement.pack(await placeTaskWrites(placement, writes));
  const collection = namespaceRef(thread, ns).collection("writes");
  // A name of its own for each: who was first is told by the server's create time, so no read and no transaction is needed.
  const ref = collection.doc(`${invertedId(checkpointId)}~${collection.doc().id}`);
  return [...placement.documents, { kind: "set", ref, data: { ...packed }, bytes: packed.d.length }];
}

export async function readTaskWriteDocument(firestore: Firestore, thread: DocumentReference, snapshot: DocumentSnapshot): Promise<TaskWrite[]> {
  const reader = await openPacked(firestore, thread, packedOf(snapshot));
  const index = TaskWriteIndex.parse(reader.index);
  await reader.load(index.map(([, , , place]) => place));
  return readTaskWrites(reader, index);
}

/** The place of one checkpoint namespace: `checkpoints` and `writes` lie below it. */
export function namespaceRef(thread: DocumentReference, ns: string): DocumentReference {
  return thread.collection("ns").doc(documentId(ns));
}

function placesOf(index: CheckpointIndex): Place[] {
  const writes = [...index.writes, ...index.parentWrites].map(([, , , place]) => place);
  return [index.checkpoint, index.metadata, ...index.channels.map(([, place]) => place), ...writes];
}

function packedOf(snapshot: DocumentSnapshot): Packed {
  const d: unknown = snapshot.get("d");
  if (!(d instanceof Uint8Array)) throw new SignalboxError("INTERNAL", `${snapshot.ref.path} is not a document of ours.`);
  return { z: snapshot.get("z") === true, d };
}
