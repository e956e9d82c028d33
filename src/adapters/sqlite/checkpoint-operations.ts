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

export interface CheckpointWriteRow {
  ns: string;
  checkpointId: string;
  taskId: string;
  idx: number;
  channel: string;
  /** Null where the value is a blob. */
  value: string | null;
  ref: string | null;
}

export interface CheckpointRows {
  key: ThreadKey;
  checkpoints: CheckpointRow[];
  writes: CheckpointWriteRow[];
  blobs: { ref: string; value: string }[];
}

/** Checkpoints and writes of one thread, with the large values they refer to. */
export function putCheckpoints(database: Database, { key: { tenant, thread }, checkpoints, writes, blobs }: CheckpointRows): void {
  for (const { ref, value } of blobs) {
    database.run("INSERT INTO checkpoint_blobs (tenant, thread, ref, value) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", [tenant, thread, ref, value]);
  }
  for (const { ns, id, parentId, doc, metadata } of checkpoints) {
    database.run(
      /* sql */ `INSERT INTO checkpoints (tenant, thread, ns, id, parent_id, doc, metadata) VALUES (?, ?, ?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET parent_id = excluded.parent_id, doc = excluded.doc, metadata = excluded.metadata`,
      [tenant, thread, ns, id, parentId, doc, metadata],
    );
  }
  for (const write of writes) insertWrite(database, tenant, thread, write);
}

/** The first writer of an index wins; errors, interrupts and their like (negative indexes) are replaced by what comes later. */
function insertWrite(database: Database, tenant: string, thread: string, { ns, checkpointId, taskId, idx, channel, value, ref }: CheckpointWriteRow): void {
  database.run(
    /* sql */ `INSERT INTO checkpoint_writes (tenant, thread, ns, checkpoint_id, task_id, idx, channel, value, ref) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET channel = excluded.channel, value = excluded.value, ref = excluded.ref WHERE excluded.idx < 0`,
    [tenant, thread, ns, checkpointId, taskId, idx, channel, value, ref],
  );
}

export function deleteThread(database: Database, { tenant, thread }: ThreadKey): void {
  for (const table of ["checkpoints", "checkpoint_writes", "checkpoint_blobs"]) {
    database.run(`DELETE FROM ${table} WHERE thread = ? AND tenant = ?`, [thread, tenant]);
  }
}
