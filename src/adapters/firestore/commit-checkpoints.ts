import type { DocumentReference } from "@google-cloud/firestore";
import type { ExecutionCommit } from "../../ports/store.ts";
import type { BlobRef } from "./checkpoint-blobs.ts";
import { checkpointDocuments, taskWriteDocuments } from "./checkpoint-document.ts";
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
 * commit: a superstep is one document. Only writes of unfinished supersteps get one of their own.
 */
export async function commitCheckpoints(
  thread: DocumentReference,
  threadId: string,
  { checkpoints, writes }: Pick<ExecutionCommit, "checkpoints" | "writes">,
  memory: BlobMemory,
): Promise<CommittedCheckpoints> {
  const documents: DocumentWrite[] = [];
  const blobs: DocumentWrite[] = [];
  const written: { ns: string; id: string; refs: BlobRef[] }[] = [];
  let left = groupedByCheckpoint(writes);
  const take = (ns: string, checkpointId: string | null): TaskWrite[] => {
    const taken = left.filter((group) => group.ns === ns && group.checkpointId === checkpointId);
    left = left.filter((group) => !taken.includes(group));
    return taken.flatMap((group) => group.writes);
  };
  // LangGraph writes the input under the id of an empty checkpoint that it never puts.
  const takeOrphans = (ns: string): TaskWrite[] => {
    const ids = left.filter((group) => group.ns === ns).map((group) => group.checkpointId);
    return ids.flatMap((id) => take(ns, id));
  };
  const own = checkpoints.map((put) => take(put.ns, put.checkpoint.id));
  for (const [n, put] of checkpoints.entries()) {
    const parent = written.find(({ ns, id }) => ns === put.ns && id === put.parentId);
    const known = parent ? new Map(parent.refs.map((blob) => [blob.id, blob])) : memory.of(thread, put.ns, put.parentId);
    const parentWrites = put.parentId === null ? takeOrphans(put.ns) : take(put.ns, put.parentId);
    const stored = await checkpointDocuments({ thread, threadId, put, known, writes: own[n] ?? [], parentWrites });
    blobs.push(...stored.documents.slice(0, -1));
    documents.push(...stored.documents.slice(-1));
    written.push({ ns: put.ns, id: put.checkpoint.id, refs: stored.blobs });
  }
  for (const group of left) {
    const stored = await taskWriteDocuments(thread, group);
    blobs.push(...stored.slice(0, -1));
    documents.push(...stored.slice(-1));
  }
  return {
    documents,
    blobs,
    remember() {
      for (const { ns, id, refs } of written) memory.keep(thread, ns, id, refs);
    },
  };
}

function groupedByCheckpoint(writes: ExecutionCommit["writes"]): { ns: string; checkpointId: string; writes: TaskWrite[] }[] {
  const groups = new Map<string, { ns: string; checkpointId: string; writes: TaskWrite[] }>();
  for (const { ns, checkpointId, taskId, writes: values } of writes) {
    const key = JSON.stringify([ns, checkpointId]);
    const group = groups.get(key) ?? { ns, checkpointId, writes: [] };
    group.writes.push(...taskWrites(taskId, values));
    groups.set(key, group);
  }
  return [...groups.values()];
}
