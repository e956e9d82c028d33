import { AggregateField } from "@google-cloud/firestore";
import type { ExecutionStatus } from "../../definition/execution.ts";
import type { ExecutionStats } from "../../definition/workflow.ts";
import type { Call } from "./caller.ts";
import { inChunks } from "./chunk.ts";
import { ALL_SHARDS } from "./document-id.ts";
import type { Places } from "./places.ts";
import { LISTS, listShape, QUERIES, queryOf } from "./queries.ts";

type Row = ExecutionStats & { lastExecuted: string | null };

// Eight small queries each; so many workflows at once keep the answer of a list page below a second.
const WORKFLOWS_AT_ONCE = 10;

/**
 * Counts by the server's aggregation: one read per 1,000 executions and status. Counters would be a hot document that every start
 * and every end of a workflow writes.
 */
export function createExecutionStats({ call, places }: { call: Call; places: Places }) {
  async function count(tenant: string, workflowId: string, status: ExecutionStatus): Promise<number> {
    const query = queryOf(QUERIES.executionsCounted, places.executions(tenant), { values: [workflowId, status] });
    return (await call(async () => await query.count().get())).data().count;
  }

  async function meanDuration(tenant: string, workflowId: string): Promise<number | null> {
    const query = queryOf(QUERIES.executionsTimed, places.executions(tenant), { values: [workflowId, "COMPLETED"] });
    return (await call(async () => await query.aggregate({ mean: AggregateField.average(QUERIES.executionsTimed.average) }).get())).data()
      .mean;
  }

  async function newest(tenant: string, workflowId: string): Promise<string | null> {
    const query = queryOf(listShape(LISTS.executions, ["workflowId"]), places.executions(tenant), {
      values: [ALL_SHARDS, workflowId],
      limit: 1,
    });
    const { docs } = await call(async () => await query.select("createdAt").get());
    const createdAt: unknown = docs[0]?.get("createdAt");
    return typeof createdAt === "string" ? createdAt : null;
  }

  async function row(tenant: string, workflowId: string): Promise<[string, Row]> {
    const of = async (status: ExecutionStatus): Promise<number> => await count(tenant, workflowId, status);
    const [pending, running, paused, completed, failed, cancelled, averageDurationMs, lastExecuted] = await Promise.all([
      of("PENDING"),
      of("RUNNING"),
      of("PAUSED"),
      of("COMPLETED"),
      of("FAILED"),
      of("CANCELLED"),
      meanDuration(tenant, workflowId),
      newest(tenant, workflowId),
    ]);
    const total = pending + running + paused + completed + failed + cancelled;
    const successRate = completed + failed === 0 ? null : completed / (completed + failed);
    return [workflowId, { total, pending, running, paused, completed, failed, cancelled, successRate, averageDurationMs, lastExecuted }];
  }

  return {
    async stats(tenant: string, workflowIds: readonly string[]): Promise<Map<string, Row>> {
      return new Map(
        await inChunks(
          workflowIds,
          WORKFLOWS_AT_ONCE,
          async (some) => await Promise.all(some.map(async (workflowId) => await row(tenant, workflowId))),
        ),
      );
    },
  };
}
