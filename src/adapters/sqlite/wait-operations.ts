import type { Database } from "./database.ts";
import { sendMessage, type MessageRow } from "./inbox-operations.ts";

export interface WaitRow {
  tenant: string;
  id: string;
  executionId: string;
  workflowId: string;
  kind: string;
  status: string;
  createdAt: string;
  answer: string | null;
  doc: string;
}

/** A wait as it is now: what was opened, and what became of it. */
export interface StoredWait {
  doc: string;
  status: string;
  answer: string | null;
}

/** Opens a wait. One that was withdrawn or expired opens again; an answered one keeps its answer. */
export function insertWait(database: Database, row: WaitRow): void {
  database.run(
    /* sql */ `INSERT INTO waits (tenant, id, execution_id, workflow_id, kind, status, created_at, answer, doc) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET status = excluded.status, created_at = excluded.created_at, answer = excluded.answer, doc = excluded.doc
      WHERE waits.status IN ('expired', 'cancelled')`,
    [row.tenant, row.id, row.executionId, row.workflowId, row.kind, row.status, row.createdAt, row.answer, row.doc],
  );
}

export function closeWait(database: Database, tenant: string, id: string, status: string): void {
  database.run("UPDATE waits SET status = ? WHERE tenant = ? AND id = ? AND status = 'open'", [status, tenant, id]);
}

export interface WaitAnswerRow {
  tenant: string;
  id: string;
  status: "answered" | "expired";
  answer: string;
  message: MessageRow | null;
}

/** First come, first served: the message goes out with the answer that is taken, and with no other. */
export function answerWait(
  database: Database,
  { tenant, id, status, answer, message }: WaitAnswerRow,
): { wait: StoredWait; isAccepted: boolean; message: number | null } | null {
  const { changes } = database.run("UPDATE waits SET status = ?, answer = ? WHERE tenant = ? AND id = ? AND status = 'open'", [
    status,
    answer,
    tenant,
    id,
  ]);
  const isAccepted = changes === 1;
  const wait = database.get<StoredWait>("SELECT doc, status, answer FROM waits WHERE tenant = ? AND id = ?", [tenant, id]);
  return wait ? { wait, isAccepted, message: isAccepted && message ? sendMessage(database, message) : null } : null;
}
