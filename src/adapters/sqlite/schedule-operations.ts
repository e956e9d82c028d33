import type { Database } from "./database.ts";

export interface ScheduleKey {
  tenant: string;
  workflowId: string;
  triggerId: string;
}

export interface ScheduleRow extends ScheduleKey {
  revision: number;
  /** Epoch milliseconds. */
  dueAt: number;
  doc: string;
}

/** False where the stored row has another revision, or where there is one and none was expected. */
export function putSchedule(database: Database, { row, basedOnRevision }: { row: ScheduleRow; basedOnRevision: number | null }): boolean {
  const { tenant, workflowId, triggerId, revision, dueAt, doc } = row;
  if (basedOnRevision === null) {
    const { changes } = database.run(
      "INSERT INTO schedules (tenant, workflow_id, trigger_id, revision, due_at, doc) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
      [tenant, workflowId, triggerId, revision, dueAt, doc],
    );
    return changes === 1;
  }
  const { changes } = database.run(
    "UPDATE schedules SET revision = ?, due_at = ?, doc = ? WHERE tenant = ? AND workflow_id = ? AND trigger_id = ? AND revision = ?",
    [revision, dueAt, doc, tenant, workflowId, triggerId, basedOnRevision],
  );
  return changes === 1;
}

/** False where the stored row has another revision, or is not there. */
export function removeSchedule(
  database: Database,
  { tenant, workflowId, triggerId, revision }: ScheduleKey & { revision: number },
): boolean {
  const { changes } = database.run("DELETE FROM schedules WHERE tenant = ? AND workflow_id = ? AND trigger_id = ? AND revision = ?", [
    tenant,
    workflowId,
    triggerId,
    revision,
  ]);
  return changes === 1;
}
