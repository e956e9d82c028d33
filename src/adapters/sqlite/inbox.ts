import type { InboxMessage } from "../../definition/execution.ts";
import type { InboxStore } from "../../ports/store.ts";
import type { Changes } from "./changes.ts";
import type { Connection } from "./connection.ts";
import type { MessageRow } from "./inbox-operations.ts";
import { fromKey } from "./key.ts";

export function sqliteInbox({ read, write }: Connection, changes: Changes): InboxStore {
  return {
    async send(message) {
      const number = await write("sendMessage", messageRow(message));
      changes.sent({ tenant: message.tenant, id: message.executionId }, number);
      return number !== null;
    },
    list: (tenant, id) =>
      read(
        (database) =>
          database
            .all<{ doc: string }>("SELECT doc FROM inbox WHERE tenant = ? AND execution_id = ? ORDER BY sent_at, number", [tenant, id])
            .map(({ doc }) => JSON.parse(doc) as InboxMessage), // written by `messageRow`
      ),
    waiting: (sentBefore, limit) =>
      read((database) =>
        database
          .all<{ tenant: string; id: string }>(
            "SELECT tenant, execution_id id FROM inbox WHERE sent_at < ? GROUP BY tenant, execution_id ORDER BY min(sent_at) LIMIT ?",
            [sentBefore, limit],
          )
          .map(({ tenant, id }) => ({ tenant: fromKey(tenant), id: fromKey(id) })),
      ),
    watch: (tenant, id, onChange) => changes.watchInbox({ tenant, id }, onChange),
    watchAll: (onChange) => changes.watchOthers(onChange),
  };
}

export function messageRow(message: InboxMessage): MessageRow {
  const { tenant, executionId, id, at } = message;
  return { tenant, executionId, id, sentAt: Date.parse(at), doc: JSON.stringify(message) };
}
