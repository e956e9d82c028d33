import type { SQLInputValue } from "node:sqlite";
import type { DeadLetterQuery } from "../../definition/dead-letter.ts";
import type { PageQuery } from "./page-query.ts";

/** The list as a query over few rows: an index of its own holds those that failed or are paused, and no other. */
export function deadLetterQuery(tenant: string, query: DeadLetterQuery): PageQuery {
  const where: { sql: string; parameters: SQLInputValue[] }[] = [
    { sql: "status IN ('FAILED', 'PAUSED')", parameters: [] },
    { sql: `(status = 'FAILED' OR EXISTS (SELECT 1 FROM json_each(doc, '$.waits') WHERE value ->> '$.kind' = 'failure'))`, parameters: [] },
    { sql: `doc ->> '$.dismissal' IS ${query.isDismissed ? "NOT NULL" : "NULL"}`, parameters: [] },
  ];
  const also = (sql: string, value: string | undefined) => value !== undefined && where.push({ sql, parameters: [value] });
  also("doc ->> '$.error.code' = ?", query.errorCode);
  also("doc ->> '$.error.stepId' = ?", query.stepId);
  also(`${FAILED_AT} > ?`, query.failedAfter);
  also(`${FAILED_AT} < ?`, query.failedBefore);
  return {
    table: "executions",
    columns: "doc",
    time: "created_at",
    equal: { tenant, workflow_id: query.workflowId },
    where,
    pageSize: query.pageSize,
    pageToken: query.pageToken,
  };
}

const FAILED_AT = "coalesce(doc ->> '$.endedAt', doc ->> '$.updatedAt')";
