import type { ExecutionStatus } from "../../definition/execution.ts";
import type { ExecutionStats } from "../../definition/workflow.ts";
import type { Database } from "./database.ts";

type Stats = ExecutionStats & { lastExecuted: string | null };

interface Count {
  status: ExecutionStatus;
  count: number;
  durationMs: number;
}

/** One row per workflow asked for, from the counts that are kept as executions change. */
export function readStats(database: Database, tenant: string, workflowIds: readonly string[]): Map<string, Stats> {
  return new Map(workflowIds.map((id) => [id, statsOf(database, tenant, id)]));
}

function statsOf(database: Database, tenant: string, workflowId: string): Stats {
  const counts = database.all<Count>(
    'SELECT status, count, duration_ms "durationMs" FROM execution_counts WHERE tenant = ? AND workflow_id = ?',
    [tenant, workflowId],
  );
  const count = (status: ExecutionStatus): number => counts.find((row) => row.status === status)?.count ?? 0;
  const [completed, failed] = [count("COMPLETED"), count("FAILED")];
  const durationMs = counts.find((row) => row.status === "COMPLETED")?.durationMs ?? 0;
  const newest = database.get<{ at: string }>(
    "SELECT created_at at FROM executions WHERE tenant = ? AND workflow_id = ? ORDER BY created_at DESC LIMIT 1",
    [tenant, workflowId],
  );
  return {
    total: counts.reduce((sum, row) => sum + row.count, 0),
    pending: count("PENDING"),
    running: count("RUNNING"),
    paused: count("PAUSED"),
    completed,
    failed,
    cancelled: count("CANCELLED"),
    successRate: completed + failed === 0 ? null : completed / (completed + failed),
    averageDurationMs: completed === 0 ? null : durationMs / completed,
    lastExecuted: newest?.at ?? null,
  };
}
