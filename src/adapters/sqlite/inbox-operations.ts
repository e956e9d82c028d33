import type { Database } from "./database.ts";

export interface MessageRow {
  tenant: string;
  executionId: string;
  id: string;
  /** Epoch milliseconds. */
  sentAt: number;
  doc: string;
}

/** The message's number, null where one with its id is there. */
export function sendMessage(database: Database, { tenant, executionId, id, sentAt, doc }: MessageRow): number | null {
  const { changes, lastInsertRowid } = database.run(
    "INSERT INTO inbox (tenant, execution_id, id, sent_at, doc) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [tenant, executionId, id, sentAt, doc],
  );
  return changes === 1 ? lastInsertRowid : null;
}
