import { SignalboxError } from "../../errors.ts";
import type { Database } from "./database.ts";

export interface WorkflowRow {
  tenant: string;
  id: string;
  version: number;
  revision: number;
  status: string;
  createdAt: string;
  doc: string;
  definition: string;
}

/** CONFLICT where the id is taken. */
export function createWorkflow(database: Database, row: WorkflowRow): void {
  const { changes } = database.run(
    "INSERT INTO workflows (tenant, id, revision, status, created_at, doc) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [row.tenant, row.id, row.revision, row.status, row.createdAt, row.doc],
  );
  if (changes === 0)
    throw new SignalboxError("CONFLICT", `There is a workflow "${row.id}" already.`, { details: { kind: "workflow", id: row.id } });
  keepVersion(database, row);
}

/** VERSION_MISMATCH where the stored revision is another. */
export function updateWorkflow(database: Database, { row, basedOnRevision }: { row: WorkflowRow; basedOnRevision: number }): void {
  const { changes } = database.run(
    "UPDATE workflows SET revision = ?, status = ?, created_at = ?, doc = ? WHERE tenant = ? AND id = ? AND revision = ?",
    [row.revision, row.status, row.createdAt, row.doc, row.tenant, row.id, basedOnRevision],
  );
  if (changes === 0)
    throw new SignalboxError("VERSION_MISMATCH", undefined, { details: { kind: "workflow", id: row.id, basedOnRevision } });
  keepVersion(database, row);
}

function keepVersion(database: Database, { tenant, id, version, definition }: WorkflowRow): void {
  database.run("INSERT INTO workflow_versions (tenant, id, version, doc) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING", [
    tenant,
    id,
    version,
    definition,
  ]);
}
