import type { Workflow, WorkflowDefinition } from "../../definition/workflow.ts";
import type { WorkflowStore } from "../../ports/store.ts";
import type { Connection } from "./connection.ts";
import { readPage } from "./page-query.ts";
import type { WorkflowRow } from "./workflow-operations.ts";

export function sqliteWorkflows({ read, write }: Connection): WorkflowStore {
  return {
    create: (workflow) => write("createWorkflow", rowOf(workflow)),
    update: (workflow, basedOnRevision) => write("updateWorkflow", { row: rowOf(workflow), basedOnRevision }),
    get: (tenant, id) => read((database) => workflowOf(database.get<Doc>(ONE, [tenant, id]))),
    getVersion: (tenant, id, version) =>
      read((database) => {
        const row = database.get<Doc>("SELECT doc FROM workflow_versions WHERE tenant = ? AND id = ? AND version = ?", [
          tenant,
          id,
          version,
        ]);
        return row && (JSON.parse(row.doc) as WorkflowDefinition); // written by `rowOf`
      }),
    getMany: (tenant, ids) => read((database) => ids.flatMap((id) => workflowOf(database.get<Doc>(ONE, [tenant, id])) ?? [])),
    list: (tenant, { status, tags = [], pageSize, pageToken }) =>
      read((database) =>
        readPage(
          database,
          {
            table: "workflows",
            columns: "doc",
            time: "created_at",
            equal: { tenant, status },
            where: tags.map((tag) => ({
              sql: "EXISTS (SELECT 1 FROM json_each(doc, '$.definition.tags') WHERE value = ?)",
              parameters: [tag],
            })),
            pageSize,
            pageToken,
          },
          ({ doc }: Doc) => JSON.parse(doc) as Workflow, // written by `rowOf`
        ),
      ),
    // Workflows are never removed, and each write raises a revision by one.
    stamp: (tenant) => read((database) => database.get<{ stamp: string }>(STAMP, [tenant])?.stamp ?? ""),
  };
}

interface Doc {
  doc: string;
}

const STAMP = "SELECT count(*) || '.' || coalesce(sum(revision), 0) stamp FROM workflows WHERE tenant = ?";

const ONE = "SELECT doc FROM workflows WHERE tenant = ? AND id = ?";

function workflowOf(row: Doc | undefined): Workflow | undefined {
  return row && (JSON.parse(row.doc) as Workflow); // written by `rowOf`
}

function rowOf(workflow: Workflow): WorkflowRow {
  const { tenant, id, version, revision, status, createdAt, definition } = workflow;
  return { tenant, id, version, revision, status, createdAt, doc: JSON.stringify(workflow), definition: JSON.stringify(definition) };
}
