import type { Database } from "./database.ts";

/** Where a thread lives: executions under their tenant, threads of other programs under ''. */
export interface ThreadKey {
  tenant: string;
  thread: string;
}

export interface CheckpointRow {
  ns: string;
  id: string;
  parentId: string | null;
  doc: string;
  metadata: string;
}

/** One write of a task: its index, its channel, and its value as the codec wrote it or the digest of its blob. */
export type TaskWrite = [index: number, channel: string, value: unknown] | [index: number, channel: string, nothing: 0, ref: string];

export interface TaskWritesRow {
  ns: string;
  checkpointId: string;
  taskId: string;
  /** `TaskWrite[]` as JSON. */
  doc: string;
}

export interface CheckpointRows {
  key: ThreadKey;
  checkpoints: CheckpointRow[];
  writes: TaskWritesRow[];
  blobs: { ref: string; value: string }[];
}

/** Checkpoints and writes of one thread, with the large values they refer to. */
export function putCheckpoints(database: Database, { key, checkpoints, writes, blobs }: CheckpointRows): void {
  const thread =
    numberOf(database, key) ?? database.run("INSERT INTO threads (tenant, id) VALUES (?, ?)", [key.tenant, key.thread]).lastInsertRowid;
  for (const { ref, value } of blobs) {
    database.run("INSERT INTO checkpoint_blobs (thread, ref, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [thread, ref, value]);
  }
  for (const { ns, id, parentId, doc, metadata } of checkpoints) {
    database.run(
      /* sql */ `INSERT INTO checkpoints (thread, ns, id, parent_id, doc, metadata) VALUES (?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET parent_id = excluded.parent_id, doc = excluded.doc, metadata = excluded.metadata`,
      [thread, ns, id, parentId, doc, metadata],
    );
  }
  for (const row of writes) putTaskWrites(database, thread, row);
}

function putTaskWrites(database: Database, thread: number, { ns, checkpointId, taskId, doc }: TaskWritesRow): void {
  const place = [thread, ns, checkpointId, taskId] as const;
  const { changes } = database.run(
    "INSERT INTO checkpoint_writes (thread, ns, checkpoint_id, task_id, doc) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [...place, doc],
  );
  if (changes === 1) return;
  const stored = database.get<{ doc: string }>(
    "SELECT doc FROM checkpoint_writes WHERE thread = ? AND ns = ? AND checkpoint_id = ? AND task_id = ?",
    place,
  );
  const merged = mergeWrites(stored?.doc ?? "[]", doc);
  database.run("UPDATE checkpoint_writes SET doc = ? WHERE thread = ? AND ns = ? AND checkpoint_id = ? AND task_id = ?", [
    merged,
    ...place,
  ]);
}

/** The first write of an index stays; errors, interrupts and their like (negative indexes) are replaced by what comes later. */
function mergeWrites(stored: string, later: string): string {
  // The values stay in the codec's writing: they are JSON that nobody reads here.
  const byIndex = new Map((JSON.parse(stored) as TaskWrite[]).map((write) => [write[0], write]));
  for (const write of JSON.parse(later) as TaskWrite[]) {
    if (write[0] < 0 || !byIndex.has(write[0])) byIndex.set(write[0], write);
  }
  return JSON.stringify([...byIndex.values()].toSorted(([left], [right]) => left - right));
}

export function deleteThread(database: Database, key: ThreadKey): void {
  const thread = numberOf(database, key);
  if (thread === undefined) return;
  for (const table of ["checkpoints", "checkpoint_writes", "checkpoint_blobs"])
    database.run(`DELETE FROM ${table} WHERE thread = ?`, [thread]);
  database.run("DELETE FROM threads WHERE number = ?", [thread]);
}

/** The number a thread's rows are found by. */
export function numberOf(database: Database, { tenant, thread }: ThreadKey): number | undefined {
  return database.get<{ number: number }>("SELECT number FROM threads WHERE id = ? AND tenant = ?", [thread, tenant])?.number;
}
