import type { DocumentReference } from "@google-cloud/firestore";
import type { ExecutionCommit } from "../../ports/store.ts";
import type { BlobRef } from "./checkpoint-blobs.ts";
import { checkpointDocument, taskWriteDocument, type StoredDocuments } from "./checkpoint-document.ts";
import type { BlobMemory } from "./checkpoint-memory.ts";
import type { DocumentWrite } from "./document-write.ts";
import { taskWrites, type TaskWrite } from "./task-writes.ts";

/** The checkpoints of a commit as documents. `remember` after the commit: the next one then knows which blobs are stored. */
export interface CommittedCheckpoints {
  documents: DocumentWrite[];
  /** Large values, named by their content. */
  blobs: DocumentWrite[];
  remember(): void;
}

/**
 * Task writes travel in the document of their checkpoint, or of the child that its tasks led to, where one of them is in the same
 * commit: a superstep is one document. Only writes of unfinished supersteps get one of their own. Everything is encoded at once.
 */
export function commitCheckpoints(
  thread: DocumentReference,
  threadId: string,
  { checkpoints, writes }: Pick<ExecutionCommit, "checkpoints" | "writes">,
  memory: BlobMemory,
): Promise<CommittedCheckpoints> {
  const left = groupedByCheckpoint(writes);
  const own = checkpoints.map((put) => left.take(put.ns, put.checkpoint.id));
  const finishing = checkpoints.map((put, n) => {
    // LangGraph writes the input under the id of an empty checkpoint that it never puts: those go with the root.
    const parentWrites = put.parentId === null ? left.takeAll(put.ns) : left.take(put.ns, put.parentId);
    return { put, finish: checkpointDocument({ thread, threadId, put, writes: own[n] ?? [], parentWrites }) };
  });
  const others = left.rest().map((group) => taskWriteDocument(thread, group));

  async function finishAll(): Promise<CommittedCheckpoints> {
    const stored: StoredDocuments[] = [];
    const refs = new Map<string, readonly BlobRef[]>();
    for (const { put, finish } of finishing) {
      const parent = put.parentId === null ? undefined : refs.get(keyOf(put.ns, put.parentId));
      const known = parent ? new Map(parent.map((blob) => [blob.id, blob])) : memory.of(thread, put.ns, put.parentId);
      const documents = await finish(known);
      refs.set(keyOf(put.ns, put.checkpoint.id), documents.blobs);
      stored.push(documents);
    }
    for (const finish of others) stored.push(await finish());
    return {
      documents: stored.map(({ document }) => document),
      blobs: stored.flatMap(({ newBlobs }) => newBlobs),
      remember() {
        for (const { put } of finishing) memory.keep(thread, put.ns, put.checkpoint.id, refs.get(keyOf(put.ns, put.checkpoint.id)) ?? []);
      },
    };
  }
  return finishAll();
}

interface WriteGroup {
  ns: string;
  checkpointId: string;
  writes: TaskWrite[];
}

function groupedByCheckpoint(writes: ExecutionCommit["writes"]) {
  const groups = new Map<string, WriteGroup>();
  for (const { ns, checkpointId, taskId, writes: values } of writes) {
    const key = keyOf(ns, checkpointId);
    const group = groups.get(key) ?? { ns, checkpointId, writes: [] };
    group.writes.push(...taskWrites(taskId, values));
    groups.set(key, group);
  }
  function take(ns: string, checkpointId: string): TaskWrite[] {
    const taken = groups.get(keyOf(ns, checkpointId))?.writes ?? [];
    groups.delete(keyOf(ns, checkpointId));
    return taken;
  }
  return {
    take,
    takeAll: (ns: string): TaskWrite[] =>
      [...groups.values()].filter((group) => group.ns === ns).flatMap((group) => take(ns, group.checkpointId)),
    rest: (): WriteGroup[] => [...groups.values()],
  };
}

function keyOf(ns: string, checkpointId: string): string {
  return JSON.stringify([ns, checkpointId]);
}
