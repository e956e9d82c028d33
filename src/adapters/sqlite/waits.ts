import type { OpenWait, WaitAnswer } from "../../definition/wait.ts";
import type { WaitStore } from "../../ports/store.ts";
import type { Changes } from "./changes.ts";
import type { Connection } from "./connection.ts";
import { messageRow } from "./inbox.ts";
import { readPage } from "./page-query.ts";
import type { StoredWait } from "./wait-operations.ts";

export function sqliteWaits({ read, write }: Connection, changes: Changes): WaitStore {
  return {
    get: (tenant, id) =>
      read((database) => {
        const row = database.get<StoredWait>("SELECT doc, status, answer FROM waits WHERE tenant = ? AND id = ?", [tenant, id]);
        return row && waitOf(row);
      }),
    list: (tenant, { kind, status, executionId, workflowId, pageSize, pageToken }) =>
      read((database) =>
        readPage(
          database,
          {
            table: "waits",
            columns: "doc, status, answer",
            time: "created_at",
            equal: { tenant, kind, status, execution_id: executionId, workflow_id: workflowId },
            pageSize,
            pageToken,
          },
          waitOf,
        ),
      ),
    listOf: (tenant, ids, kind) =>
      read((database) => new Map(ids.map((id) => [id, database.all<StoredWait>(OF_EXECUTION, [tenant, id, kind]).map(waitOf)]))),
    onTopic: (tenant, topic, { afterId = "", limit }) =>
      read((database) => database.all<StoredWait>(ON_TOPIC, [tenant, topic, afterId, limit]).map(waitOf)),
    async answer(tenant, id, status, answer, message) {
      const result = await write("answerWait", {
        tenant,
        id,
        status,
        answer: JSON.stringify(answer),
        message: message && messageRow(message),
      });
      if (!result) return undefined;
      if (message) changes.sent({ tenant, id: message.executionId }, result.message);
      return { wait: waitOf(result.wait), accepted: result.isAccepted };
    },
    async vote(tenant, id, vote, after, decision) {
      const result = await write("voteOnWait", {
        tenant,
        id,
        vote: JSON.stringify(vote),
        after,
        decision: decision && { answer: JSON.stringify(decision.answer), message: messageRow(decision.message) },
      });
      if (!result) return undefined;
      if (decision && result.isAccepted) changes.sent({ tenant, id: decision.message.executionId }, result.message);
      return { wait: waitOf(result.wait), accepted: result.isAccepted };
    },
    async lease(tenant, id, lease, decision) {
      const result = await write("leaseWait", {
        tenant,
        id,
        lease: JSON.stringify(lease),
        decision: decision && { answer: JSON.stringify(decision.answer), message: messageRow(decision.message) },
      });
      if (!result) return undefined;
      if (decision && result.isAccepted) changes.sent({ tenant, id: decision.message.executionId }, result.message);
      return { wait: waitOf(result.wait), accepted: result.isAccepted };
    },
  };
}

const OF_EXECUTION = "SELECT doc, status, answer FROM waits WHERE tenant = ? AND execution_id = ? AND kind = ? ORDER BY created_at, id";

const ON_TOPIC = /* sql */ `SELECT doc, status, answer FROM waits
  WHERE tenant = ? AND json_extract(doc, '$.topic') = ? AND status = 'open' AND json_extract(doc, '$.topic') IS NOT NULL AND id > ? ORDER BY id LIMIT ?`;

function waitOf({ doc, status, answer }: StoredWait): OpenWait {
  return {
    ...(JSON.parse(doc) as OpenWait), // written by `waitRow`
    status: status as OpenWait["status"], // set by our own operations only
    answer: answer === null ? null : (JSON.parse(answer) as WaitAnswer),
  };
}
