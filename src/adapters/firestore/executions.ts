import type { DocumentSnapshot, Firestore } from "@google-cloud/firestore";
import { fitsDeadLetter } from "../../definition/dead-letter.ts";
import { USUAL_PRIORITY, type Execution, type ExecutionStatus } from "../../definition/execution.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ExecutionRef, ExecutionStore } from "../../ports/store.ts";
import type { OpenStoreOptions } from "../open.ts";
import type { Call } from "./caller.ts";
import { inChunks } from "./chunk.ts";
import { ALL_SHARDS } from "./document-id.ts";
import { isExpired, readExecution } from "./execution-document.ts";
import { createExecutionStats } from "./execution-stats.ts";
import { listPage } from "./list.ts";
import type { Places } from "./places.ts";
import { LISTS, listShape, QUERIES, queryOf } from "./queries.ts";

interface ExecutionsOptions {
  firestore: Firestore;
  call: Call;
  places: Places;
  clock: Clock;
  onTime: NonNullable<OpenStoreOptions["onTime"]>;
}

/** The reads; what writes is `create-execution.ts` and `commit.ts`. */
export function createExecutionReads({
  firestore,
  call,
  places,
  clock,
  onTime,
}: ExecutionsOptions): Omit<ExecutionStore, "create" | "commit" | "markRelayed"> {
  async function read(snapshot: DocumentSnapshot): Promise<Execution | undefined> {
    const found = await readExecution(snapshot, call);
    return found && !isExpired(found.execution, clock.now()) ? found.execution : undefined;
  }

  /** The newest executions by one field's value, for several values. */
  async function newestOf(tenant: string, field: string, values: readonly string[], limit: number): Promise<Map<string, Execution[]>> {
    const shape = listShape(LISTS.executions, [field]);
    const rows = await inChunks(values, 20, async (some) => {
      return await Promise.all(
        some.map(async (value): Promise<[string, Execution[]]> => {
          const query = queryOf(shape, places.executions(tenant), { values: [ALL_SHARDS, value], limit });
          const { docs } = await call(async () => await query.get());
          return [value, (await Promise.all(docs.map(read))).filter((execution) => execution !== undefined)];
        }),
      );
    });
    return new Map(rows.filter(([, executions]) => executions.length > 0));
  }

  return {
    ...createExecutionStats({ call, places }),

    async get(tenant, id) {
      const found = await readExecution(await call(async () => await places.execution(tenant, id).get()), call);
      return found && !isExpired(found.execution, clock.now()) ? found : undefined;
    },

    async getMany(tenant, ids) {
      return await inChunks(ids, 100, async (some) => {
        const snapshots = await call(async () => await firestore.getAll(...some.map((id) => places.execution(tenant, id))));
        return (await Promise.all(snapshots.map(read))).filter((execution) => execution !== undefined);
      });
    },

    list: async (tenant, { workflowId, status, parentId, pageSize, pageToken }) =>
      await listPage(call, {
        list: LISTS.executions,
        collection: places.executions(tenant),
        filters: { workflowId, status, parentId },
        pageSize,
        pageToken,
        read,
        cursorOf: ({ createdAt, id }) => ({ at: createdAt, id }),
      }),

    deadLetters: async (tenant, { isDismissed, pageSize, pageToken, ...filter }) =>
      await listPage(call, {
        list: LISTS.deadLetters,
        collection: places.executions(tenant),
        filters: { dead: isDismissed ? "dismissed" : "open" },
        pageSize,
        pageToken,
        // So few that the rest is looked at here and needs no index.
        async read(snapshot) {
          const execution = await read(snapshot);
          return execution && fitsDeadLetter(execution, filter) ? execution : undefined;
        },
        cursorOf: ({ createdAt, id }) => ({ at: createdAt, id }),
      }),

    recentOf: async (tenant, workflowIds, limit) => await newestOf(tenant, "workflowId", workflowIds, limit),
    childrenOf: async (tenant, parentIds, limit) => await newestOf(tenant, "parentId", parentIds, limit),

    async due(now, limit, status) {
      const query =
        status === undefined
          ? queryOf(QUERIES.executionsDue, firestore, { values: [ALL_SHARDS, now], limit })
          : queryOf(QUERIES.executionsOfStatusDue, firestore, { values: [ALL_SHARDS, status, now], limit });
      const askedAt = clock.now();
      const { docs, readTime } = await call(
        async () => await query.select("tenant", "id", "wakeAt", "status", "createdAt", "priority").get(),
      );
      // The one query every worker makes all the time.
      onTime(readTime.toMillis(), askedAt);
      return docs.map((snapshot) => ({
        ...refOf(snapshot),
        wakeAt: Number(snapshot.get("wakeAt")),
        status: snapshot.get("status") as ExecutionStatus, // as `executionDocuments` wrote it
        createdAt: String(snapshot.get("createdAt")),
        // The version before did not write it beside the record.
        priority: Number(snapshot.get("priority") ?? USUAL_PRIORITY),
      }));
    },

    async ownedBy(owner, limit) {
      const query = queryOf(QUERIES.executionsOfOwner, firestore, { values: [owner], limit });
      const { docs } = await call(async () => await query.select("tenant", "id").get());
      return docs.map(refOf);
    },

    async relayDue(before, limit) {
      const query = queryOf(QUERIES.executionsToRelay, firestore, { values: [ALL_SHARDS, before], limit });
      const { docs } = await call(async () => await query.select("tenant", "id", "relayAt").get());
      return docs.map((snapshot) => ({ ...refOf(snapshot), relayAt: Number(snapshot.get("relayAt")) }));
    },

    // Nobody can tell from afar that a pod is gone: its leases run out.
    deadOwners: async () => [],
  };
}

function refOf(snapshot: DocumentSnapshot): ExecutionRef {
  return { tenant: String(snapshot.get("tenant")), id: String(snapshot.get("id")) };
}
