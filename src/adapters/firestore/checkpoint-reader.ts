import { isDeepStrictEqual } from "node:util";
import type { DocumentReference, DocumentSnapshot, Firestore, QueryDocumentSnapshot } from "@google-cloud/firestore";
import { maxChannelVersion, TASKS, type CheckpointListOptions, type CheckpointPendingWrite, type CheckpointTuple } from "@langchain/langgraph-checkpoint";
import { namespaceRef, readCheckpoint, readTaskWriteDocument, type StoredCheckpoint } from "./checkpoint-document.ts";
import type { Call } from "./caller.ts";
import type { BlobMemory } from "./checkpoint-memory.ts";
import { invertedId } from "./document-id.ts";
import { LARGEST_IN, QUERIES, queryOf } from "./queries.ts";
import { pendingWrites, type TaskWrite } from "./task-writes.ts";

const PAGE_SIZE = 50;

export interface CheckpointReader {
  /** The checkpoint of that id, the newest for an empty one. */
  tuple(thread: DocumentReference, ns: string, checkpointId: string): Promise<CheckpointTuple | undefined>;
  /** Newest first, page by page as the consumer goes on; the limit is the caller's. */
  list(thread: DocumentReference, options: ListOptions): AsyncGenerator<CheckpointTuple>;
}

type ListOptions = Pick<CheckpointListOptions, "before" | "filter"> & { namespace: string | undefined; checkpointId: string };

interface CheckpointReaderOptions {
  firestore: Firestore;
  call: Call;
  memory: BlobMemory;
  /** Whether children may hold writes of their parent's tasks. */
  hasParentWrites: boolean;
}

export function createCheckpointReader({ firestore, call, memory, hasParentWrites }: CheckpointReaderOptions): CheckpointReader {
  async function tuple(thread: DocumentReference, ns: string, checkpointId: string): Promise<CheckpointTuple | undefined> {
    return await call(async () => {
      const place = namespaceRef(thread, ns);
      const snapshot = checkpointId === "" ? await newest(place) : await place.collection("checkpoints").doc(invertedId(checkpointId)).get();
      if (!snapshot?.exists) return undefined;
      const [stored, documents, inChildren] = await Promise.all([
        readCheckpoint(firestore, thread, snapshot),
        writesBetween(thread, place, snapshot.id, snapshot.id),
        // The newest has no children.
        checkpointId === "" ? new Map<string, TaskWrite[]>() : writesInChildren(thread, place, [checkpointId]),
      ]);
      memory.keep(thread, ns, stored.checkpoint.id, stored.blobs);
      const later = [...(documents.get(snapshot.id) ?? []), ...(inChildren.get(stored.checkpoint.id) ?? [])];
      return await toTuple(thread, place, stored, [...stored.writes, ...later]);
    });
  }

  async function* list(thread: DocumentReference, options: ListOptions): AsyncGenerator<CheckpointTuple> {
    const { namespace, checkpointId, before, filter = {} } = options;
    const places = namespace === undefined ? await call(async () => await thread.collection("ns").listDocuments()) : [namespaceRef(thread, namespace)];
    const beforeId: unknown = before?.configurable?.["checkpoint_id"];
    for (const place of places) {
      for await (const found of listNamespace(thread, place, typeof beforeId === "string" ? beforeId : undefined)) {
        if (checkpointId !== "" && found.checkpoint.id !== checkpointId) continue;
        const metadata: Record<string, unknown> = { ...found.metadata };
        if (Object.entries(filter).every(([key, value]) => isDeepStrictEqual(metadata[key], value))) yield found;
      }
    }
  }

  async function* listNamespace(thread: DocumentReference, place: DocumentReference, before: string | undefined): AsyncGenerator<CheckpointTuple> {
    const seen = new Map<string, TaskWrite[]>();
    let last = before === undefined ? undefined : invertedId(before);
    for (;;) {
      const after = last;
      const { snapshots, documents, stored } = await call(async () => {
        const page = await queryOf(after === undefined ? QUERIES.checkpoints : QUERIES.checkpointsAfter, place.collection("checkpoints"), {
          values: after === undefined ? [] : [after],
          limit: PAGE_SIZE,
        }).get();
        const [first, end] = [page.docs[0], page.docs.at(-1)];
        if (!first || !end) return { snapshots: [], documents: new Map<string, TaskWrite[]>(), stored: [] };
        const [writes, ...checkpoints] = await Promise.all([
          writesBetween(thread, place, first.id, end.id),
          ...page.docs.map((snapshot) => readCheckpoint(firestore, thread, snapshot)),
        ]);
        return { snapshots: page.docs, documents: writes, stored: checkpoints };
      });
      // Children are newer than their parents: a scan from the newest has met them, one from the middle asks for them.
      const children = before === undefined ? seen : await call(async () => await writesInChildren(thread, place, stored.map(({ checkpoint }) => checkpoint.id)));
      for (const [n, checkpoint] of stored.entries()) {
        if (checkpoint.parentId !== undefined) addTo(seen, checkpoint.parentId, checkpoint.parentWrites);
        const later = [...(documents.get(snapshots[n]?.id ?? "") ?? []), ...(children.get(checkpoint.checkpoint.id) ?? [])];
        yield await call(async () => await toTuple(thread, place, checkpoint, [...checkpoint.writes, ...later]));
      }
      last = snapshots.at(-1)?.id;
      if (last === undefined || snapshots.length < PAGE_SIZE) return;
    }
  }

  async function newest(place: DocumentReference): Promise<QueryDocumentSnapshot | undefined> {
    const { docs } = await queryOf(QUERIES.checkpoints, place.collection("checkpoints"), { values: [], limit: 1 }).get();
    return docs[0];
  }

  /** Writes that came in documents of their own, oldest first, by the name of their checkpoint's document. */
  async function writesBetween(thread: DocumentReference, place: DocumentReference, from: string, to: string): Promise<Map<string, TaskWrite[]>> {
    const { docs } = await queryOf(QUERIES.taskWrites, place.collection("writes"), { values: [`${from}~`, `${to}~~`] }).get();
    const byTime = docs.toSorted((a, b) => Number(a.createTime.valueOf() > b.createTime.valueOf()) - Number(a.createTime.valueOf() < b.createTime.valueOf()));
    const found = new Map<string, TaskWrite[]>();
    for (const snapshot of byTime) addTo(found, snapshot.id.slice(0, snapshot.id.lastIndexOf("~")), await readTaskWriteDocument(firestore, thread, snapshot));
    return found;
  }

  async function writesInChildren(thread: DocumentReference, place: DocumentReference, parents: readonly string[]): Promise<Map<string, TaskWrite[]>> {
    const found = new Map<string, TaskWrite[]>();
    if (!hasParentWrites) return found;
    for (let start = 0; start < parents.length; start += LARGEST_IN) {
      const values = [parents.slice(start, start + LARGEST_IN)];
      const { docs } = await queryOf(QUERIES.childCheckpoints, place.collection("checkpoints"), { values }).get();
      for (const child of docs) {
        const { parentId, parentWrites } = await readCheckpoint(firestore, thread, child);
        if (parentId !== undefined) addTo(found, parentId, parentWrites);
      }
    }
    return found;
  }

  async function toTuple(thread: DocumentReference, place: DocumentReference, stored: StoredCheckpoint, writes: readonly TaskWrite[]): Promise<CheckpointTuple> {
    const { threadId, ns, parentId, checkpoint, metadata } = stored;
    const configOf = (id: string) => ({ configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: id } });
    if (checkpoint.v < 4 && parentId !== undefined) {
      const sends = await parentSends(thread, place, parentId);
      checkpoint.channel_values = { ...checkpoint.channel_values, [TASKS]: sends.map(([, , value]) => value) };
      const versions = Object.values(checkpoint.channel_versions);
      checkpoint.channel_versions = { ...checkpoint.channel_versions, [TASKS]: versions.length > 0 ? maxChannelVersion(...versions) : 1 };
    }
    const found: CheckpointTuple = { config: configOf(checkpoint.id), checkpoint, metadata, pendingWrites: pendingWrites(writes) };
    return parentId === undefined ? found : { ...found, parentConfig: configOf(parentId) };
  }

  /** Checkpoints before format 4 have no channel of sends: they are the parent's writes. */
  async function parentSends(thread: DocumentReference, place: DocumentReference, parentId: string): Promise<CheckpointPendingWrite[]> {
    const id = invertedId(parentId);
    const documents = await writesBetween(thread, place, id, id);
    return pendingWrites(documents.get(id) ?? []).filter(([, channel]) => channel === TASKS);
  }

  return { tuple, list };
}

function addTo(map: Map<string, TaskWrite[]>, key: string, writes: readonly TaskWrite[]): void {
  map.set(key, [...(map.get(key) ?? []), ...writes]);
}
