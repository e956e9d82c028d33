import { isDeepStrictEqual } from "node:util";
import type { RunnableConfig } from "@langchain/core/runnables";
import { maxChannelVersion, TASKS, type CheckpointListOptions, type CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { DocumentReference, Firestore, QueryDocumentSnapshot } from "@google-cloud/firestore";
import type { Call } from "./caller.ts";
import { namespaceRef, readCheckpoint, type StoredCheckpoint } from "./checkpoint-document.ts";
import type { BlobMemory } from "./checkpoint-memory.ts";
import { invertedId } from "./document-id.ts";
import { QUERIES, queryOf } from "./queries.ts";
import { addTo, writesBetween, writesInChildren, type NamespacePlace, type TaskWritesBy } from "./stored-task-writes.ts";
import { pendingWrites, type TaskWrite } from "./task-writes.ts";

const PAGE_SIZE = 50;

export interface CheckpointReader {
  /** The checkpoint of that id, the newest for an empty one. */
  tuple: (thread: DocumentReference, ns: string, checkpointId: string) => Promise<CheckpointTuple | undefined>;
  /** Newest first, page by page as the consumer goes on; the limit is the caller's. */
  list: (thread: DocumentReference, options: ListOptions) => AsyncGenerator<CheckpointTuple>;
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
  async function childWrites(place: NamespacePlace, ids: readonly string[]): Promise<TaskWritesBy> {
    return hasParentWrites ? await writesInChildren(place, ids) : new Map();
  }

  async function tuple(thread: DocumentReference, ns: string, checkpointId: string): Promise<CheckpointTuple | undefined> {
    const place = { firestore, thread, namespace: namespaceRef(thread, ns) };
    return await call(async () => {
      const checkpoints = place.namespace.collection("checkpoints");
      const newest = async () => (await queryOf(QUERIES.checkpoints, checkpoints, { values: [], limit: 1 }).get()).docs[0];
      const snapshot = checkpointId === "" ? await newest() : await checkpoints.doc(invertedId(checkpointId)).get();
      if (!snapshot?.exists) return undefined;
      const [stored, documents, inChildren] = await Promise.all([
        readCheckpoint(firestore, thread, snapshot),
        writesBetween(place, snapshot.id, snapshot.id),
        // The newest has no children.
        checkpointId === "" ? new Map<string, TaskWrite[]>() : childWrites(place, [checkpointId]),
      ]);
      memory.keep(thread, ns, stored.checkpoint.id, stored.blobs);
      return await toTuple(place, stored, [...(documents.get(snapshot.id) ?? []), ...(inChildren.get(checkpointId) ?? [])]);
    });
  }

  async function* list(thread: DocumentReference, options: ListOptions): AsyncGenerator<CheckpointTuple> {
    const { namespace: ns, checkpointId, before, filter = {} } = options;
    const namespaces =
      ns === undefined ? await call(async () => await thread.collection("ns").listDocuments()) : [namespaceRef(thread, ns)];
    const beforeId = before && configured(before, "checkpoint_id");
    for (const namespace of namespaces) {
      for await (const found of listNamespace({ firestore, thread, namespace }, beforeId)) {
        if (checkpointId !== "" && found.checkpoint.id !== checkpointId) continue;
        const metadata: Record<string, unknown> = { ...found.metadata };
        if (Object.entries(filter).every(([key, value]) => isDeepStrictEqual(metadata[key], value))) yield found;
      }
    }
  }

  async function* listNamespace(place: NamespacePlace, before: string | undefined): AsyncGenerator<CheckpointTuple> {
    const seen: TaskWritesBy = new Map();
    let last = before === undefined ? undefined : invertedId(before);
    for (;;) {
      const { docs, stored, documents } = await readPage(place, last);
      // Children are newer than their parents: a scan from the newest has met them, one from the middle asks for them.
      const asked =
        before === undefined
          ? seen
          : await call(
              async () =>
                await childWrites(
                  place,
                  stored.map(({ checkpoint }) => checkpoint.id),
                ),
            );
      for (const [n, each] of stored.entries()) {
        if (each.parentId !== undefined) addTo(seen, each.parentId, each.parentWrites);
        const later = [...(documents.get(docs[n]?.id ?? "") ?? []), ...(asked.get(each.checkpoint.id) ?? [])];
        yield await call(async () => await toTuple(place, each, later));
      }
      last = docs.at(-1)?.id;
      if (last === undefined || docs.length < PAGE_SIZE) return;
    }
  }

  async function readPage(
    place: NamespacePlace,
    after: string | undefined,
  ): Promise<{ docs: QueryDocumentSnapshot[]; stored: StoredCheckpoint[]; documents: TaskWritesBy }> {
    return await call(async () => {
      const shape = after === undefined ? QUERIES.checkpoints : QUERIES.checkpointsAfter;
      const values = after === undefined ? [] : [after];
      const { docs } = await queryOf(shape, place.namespace.collection("checkpoints"), { values, limit: PAGE_SIZE }).get();
      const [first, end] = [docs[0], docs.at(-1)];
      if (!first || !end) return { docs, stored: [], documents: new Map() };
      const [documents, ...stored] = await Promise.all([
        writesBetween(place, first.id, end.id),
        ...docs.map((snapshot) => readCheckpoint(firestore, place.thread, snapshot)),
      ]);
      return { docs, stored, documents };
    });
  }

  return { tuple, list };
}

/** A checkpoint with all writes of its tasks: its own document's first, then `later`, oldest first. */
async function toTuple(place: NamespacePlace, stored: StoredCheckpoint, later: readonly TaskWrite[]): Promise<CheckpointTuple> {
  const { threadId, ns, parentId, checkpoint, metadata } = stored;
  const configOf = (id: string) => ({ configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: id } });
  if (checkpoint.v < 4 && parentId !== undefined) {
    // Checkpoints before format 4 have no channel of sends: they are the parent's writes.
    const name = invertedId(parentId);
    const writes = (await writesBetween(place, name, name)).get(name) ?? [];
    const sends = pendingWrites(writes).flatMap(([, channel, value]) => (channel === TASKS ? [value] : []));
    const versions = Object.values(checkpoint.channel_versions);
    checkpoint.channel_values = { ...checkpoint.channel_values, [TASKS]: sends };
    checkpoint.channel_versions = { ...checkpoint.channel_versions, [TASKS]: versions.length > 0 ? maxChannelVersion(...versions) : 1 };
  }
  const found: CheckpointTuple = {
    config: configOf(checkpoint.id),
    checkpoint,
    metadata,
    pendingWrites: pendingWrites([...stored.writes, ...later]),
  };
  return parentId === undefined ? found : { ...found, parentConfig: configOf(parentId) };
}

/** A field of `configurable` as text, undefined where it is not there. */
export function configured(config: RunnableConfig, field: "thread_id" | "checkpoint_ns" | "checkpoint_id" | "tenant"): string | undefined {
  const value: unknown = config.configurable?.[field];
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}
