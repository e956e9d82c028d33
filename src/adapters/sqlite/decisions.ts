import type { Decision } from "../../definition/decision.ts";
import type { DecisionStore } from "../../ports/decision-store.ts";
import type { Connection } from "./connection.ts";
import { readPage } from "./page-query.ts";

export function sqliteDecisions({ read }: Connection): DecisionStore {
  return {
    get: (tenant, id) =>
      read((database) => {
        const row = database.get<Doc>("SELECT doc FROM decisions WHERE tenant = ? AND id = ?", [tenant, id]);
        return row && decisionOf(row);
      }),
    list: (tenant, { executionId, workflowId, stepId, pageSize, pageToken }) =>
      read((database) =>
        readPage(
          database,
          {
            table: "decisions",
            columns: "doc",
            time: "at",
            equal: { tenant, execution_id: executionId, workflow_id: workflowId, step_id: stepId },
            pageSize,
            pageToken,
          },
          decisionOf,
        ),
      ),
    listOf: (tenant, ids) =>
      read(
        (database) =>
          new Map(
            ids.map((id) => [
              id,
              database
                .all<Doc>("SELECT doc FROM decisions WHERE tenant = ? AND execution_id = ? ORDER BY at, id", [tenant, id])
                .map(decisionOf),
            ]),
          ),
      ),
  };
}

interface Doc {
  doc: string;
}

const decisionOf = ({ doc }: Doc): Decision => JSON.parse(doc) as Decision; // written by `decisionRow`
