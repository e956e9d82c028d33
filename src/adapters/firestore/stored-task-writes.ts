import type { DocumentReference, Firestore } from "@google-cloud/firestore";
import { readCheckpoint, readTaskWriteDocument } from "./checkpoint-document.ts";
import { LARGEST_IN, QUERIES, queryOf } from "./queries.ts";
import type { TaskWrite } from "./task-writes.ts";

/** Task writes by what they belong to. */
export type TaskWritesBy = Map<string, TaskWrite[]>;

/** Where to look: the thread (its blobs) and one namespace of it. */
export interface NamespacePlace {
  firestore: Firestore;
  thread: DocumentReference;
  namespace: DocumentReference;
}

/** Writes in documents of their own for the checkpoints from the newest name to the oldest, oldest write first, by the checkpoint's name. */
export async function writesBetween(
  { firestore, thread, namespace }: NamespacePlace,
  newest: string,
  oldest: string,
): Promise<TaskWritesBy> {
  const { docs } = await queryOf(QUERIES.taskWrites, namespace.collection("writes"), { values: [`${newest}~`, `${oldest}~~`] }).get();
  const byTime = docs.toSorted((a, b) => compare(a.createTime.valueOf(), b.createTime.valueOf()));
  const found: TaskWritesBy = new Map();
  for (const snapshot of byTime) {
    addTo(found, snapshot.id.slice(0, snapshot.id.lastIndexOf("~")), await readTaskWriteDocument(firestore, thread, snapshot));
  }
  return found;
}

/** Writes that the children of these checkpoints hold for them, by the checkpoint's id. */
export async function writesInChildren(
  { firestore, thread, namespace }: NamespacePlace,
  parents: readonly string[],
): Promise<TaskWritesBy> {
  const found: TaskWritesBy = new Map();
  for (let start = 0; start < parents.length; start += LARGEST_IN) {
    const values = [parents.slice(start, start + LARGEST_IN)];
    const { docs } = await queryOf(QUERIES.childCheckpoints, namespace.collection("checkpoints"), { values }).get();
    for (const child of docs) {
      const { parentId, parentWrites } = await readCheckpoint(firestore, thread, child);
      if (parentId !== undefined) addTo(found, parentId, parentWrites);
    }
  }
  return found;
}

export function addTo(map: TaskWritesBy, key: string, writes: readonly TaskWrite[]): void {
  map.set(key, [...(map.get(key) ?? []), ...writes]);
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
