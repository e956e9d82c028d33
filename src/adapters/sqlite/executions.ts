import type { Execution } from "../../definition/execution.ts";
import type { DueExecution, ExecutionHandle, ExecutionStore } from "../../ports/store.ts";
import type { Changes } from "./changes.ts";
import type { CheckpointFormat } from "./checkpoint-format.ts";
import type { Connection } from "./connection.ts";
import { deadLetterQuery } from "./dead-letters.ts";
import { commitRows, executionRow, pageOf } from "./execution-rows.ts";
import { readStats } from "./execution-stats.ts";
import { fromKey } from "./key.ts";
import type { Owners } from "./owners.ts";
import { readPage } from "./page-query.ts";

export interface SqliteExecutionsOptions {
  connection: Connection;
  changes: Changes;
  owners: Owners;
  checkpoints: CheckpointFormat;
}

export function sqliteExecutions({ connection: { read, write }, changes, owners, checkpoints }: SqliteExecutionsOptions): ExecutionStore {
  return {
    async create(execution, events) {
      const result = await write("createExecution", {
        row: executionRow(execution),
        page: pageOf(events),
        permits: execution.permits ?? [],
      });
      if ("found" in result) return { ...handleOf(result.found), created: false };
      changes.committed(execution, result.page, events);
      return { execution, token: null, created: true };
    },
    async commit(commit) {
      const packed = checkpoints.pack(commit);
      const { page, messages, started } = await write("commitExecution", commitRows(commit, packed?.rows ?? null));
      packed?.stored();
      changes.committed(commit.execution, page, commit.events);
      for (const [n, { tenant, executionId }] of commit.sends.entries()) changes.sent({ tenant, id: executionId }, messages[n] ?? null);
      for (const [n, { execution, events }] of commit.starts.entries()) changes.committed(execution, started[n] ?? null, events);
      return { execution: commit.execution, token: null };
    },
    get: (tenant, id) =>
      read((database) => {
        const row = database.get<Doc>(ONE, [tenant, id]);
        return row && handleOf(row.doc);
      }),
    getMany: (tenant, ids) => read((database) => ids.flatMap((id) => database.all<Doc>(ONE, [tenant, id]).map(executionOf))),
    list: (tenant, { workflowId, status, parentId, pageSize, pageToken }) =>
      read((database) => {
        const page = { columns: "doc", time: "created_at", pageSize, pageToken };
        const query = { ...page, table: "executions", equal: { tenant, workflow_id: workflowId, status } };
        const ofParent = { ...page, table: CHILDREN, equal: { tenant, parent_id: parentId, workflow_id: workflowId, status } };
        return readPage(database, parentId === undefined ? query : ofParent, executionOf);
      }),
    deadLetters: (tenant, query) => read((database) => readPage(database, deadLetterQuery(tenant, query), executionOf)),
    recentOf: (tenant, workflowIds, limit) =>
      read((database) => {
        const recent = workflowIds.map((id) => [id, database.all<Doc>(RECENT, [tenant, id, limit]).map(executionOf)] as const);
        return new Map(recent.filter(([, executions]) => executions.length > 0));
      }),
    childrenOf: (tenant, parentIds, limit) =>
      read((database) => {
        const children = parentIds.map((id) => [id, database.all<Doc>(NEWEST_CHILDREN, [tenant, id, limit]).map(executionOf)] as const);
        return new Map(children.filter(([, executions]) => executions.length > 0));
      }),
    stats: (tenant, workflowIds) => read((database) => readStats(database, tenant, workflowIds)),
    due: (now, limit, status) =>
      read((database) =>
        database
          .all<Due>(status === undefined ? DUE : DUE_OF, status === undefined ? [now, limit] : [now, status, limit])
          .map((row) => ({ ...row, ...refOf(row) })),
      ),
    deadOwners: (now) => read((database) => owners.dead(database, now)),
    ownedBy: (owner, limit) =>
      read((database) => database.all<Ref>("SELECT tenant, id FROM executions WHERE owner = ? LIMIT ?", [owner, limit]).map(refOf)),
    relayDue: (before, limit) =>
      read((database) =>
        database
          .all<Ref & { relayAt: number }>(
            'SELECT tenant, id, relay_at "relayAt" FROM relays JOIN executions ON number = execution WHERE relay_at <= ? ORDER BY relay_at LIMIT ?',
            [before, limit],
          )
          .map((row) => ({ ...refOf(row), relayAt: row.relayAt })),
      ),
    async markRelayed({ execution }, place) {
      const { tenant, id, epoch, lastSeq, relayAt = null } = execution;
      const marked = { ...execution, ...place };
      const guard = { epoch, lastSeq, relayAt };
      const isDone = await write("markRelayed", { tenant, id, guard, relayAt: place.relayAt ?? null, doc: JSON.stringify(marked) });
      return isDone ? { execution: marked, token: null } : undefined;
    },
  };
}

interface Doc {
  doc: string;
}

interface Ref {
  tenant: string;
  id: string;
}

type Due = Ref & Pick<DueExecution, "wakeAt" | "status" | "createdAt" | "priority">;

const DUE_COLUMNS = `tenant, id, wake_at "wakeAt", status, created_at "createdAt", json_extract(doc, '$.priority') priority`;
const DUE = `SELECT ${DUE_COLUMNS} FROM executions WHERE wake_at <= ? ORDER BY wake_at LIMIT ?`;
const DUE_OF = `SELECT ${DUE_COLUMNS} FROM executions WHERE wake_at <= ? AND +status = ? ORDER BY wake_at LIMIT ?`;
const ONE = "SELECT doc FROM executions WHERE tenant = ? AND id = ?";
const RECENT = "SELECT doc FROM executions WHERE tenant = ? AND workflow_id = ? ORDER BY created_at DESC, id DESC LIMIT ?";

/** The order is that of the children alone: the planner must not begin with the executions. */
const CHILDREN = `(SELECT c.tenant, c.parent_id, c.created_at, c.id, e.doc, e.workflow_id, e.status
  FROM execution_children c CROSS JOIN executions e ON e.tenant = c.tenant AND e.id = c.id) c`;
const NEWEST_CHILDREN = `SELECT doc FROM ${CHILDREN} WHERE tenant = ? AND parent_id = ? ORDER BY created_at DESC, id DESC LIMIT ?`;

const executionOf = ({ doc }: Doc): Execution => JSON.parse(doc) as Execution; // written by `executionRow`
const handleOf = (doc: string): ExecutionHandle => ({ execution: executionOf({ doc }), token: null });
const refOf = ({ tenant, id }: Ref): Ref => ({ tenant: fromKey(tenant), id: fromKey(id) });
