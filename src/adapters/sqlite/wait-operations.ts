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
  const wait = database.get<StoredWait>(ONE, [tenant, id]);
  return wait ? { wait, isAccepted, message: isAccepted && message ? sendMessage(database, message) : null } : null;
}

export interface VoteRow {
  tenant: string;
  id: string;
  /** The vote as JSON. */
  vote: string;
  after: number;
  decision: { answer: string; message: MessageRow } | null;
}

/** Counted under the writer's lock: who finds another number of votes than the one it judged by is told so. */
export function voteOnWait(
  database: Database,
  { tenant, id, vote, after, decision }: VoteRow,
): { wait: StoredWait; isAccepted: boolean; message: number | null } | null {
  const stored = database.get<StoredWait>(ONE, [tenant, id]);
  if (!stored) return null;
  const document = JSON.parse(stored.doc) as { votes?: unknown[] };
  const { votes = [] } = document;
  if (stored.status !== "open" || votes.length !== after) return { wait: stored, isAccepted: false, message: null };
  const wait: StoredWait = {
    doc: JSON.stringify({ ...document, votes: [...votes, JSON.parse(vote)] }),
    status: decision ? "answered" : "open",
    answer: decision && decision.answer,
  };
  database.run(UPDATE, [wait.doc, wait.status, wait.answer, tenant, id]);
  return { wait, isAccepted: true, message: decision && sendMessage(database, decision.message) };
}

export interface LeaseRow {
  tenant: string;
  id: string;
  /** The lease as JSON. */
  lease: string;
  decision: { answer: string; message: MessageRow } | null;
}

/** Compare-and-set on the lease's revision, under the writer's lock. */
export function leaseWait(
  database: Database,
  { tenant, id, lease, decision }: LeaseRow,
): { wait: StoredWait; isAccepted: boolean; message: number | null } | null {
  const stored = database.get<StoredWait>(ONE, [tenant, id]);
  if (!stored) return null;
  const document = JSON.parse(stored.doc) as { lease?: { revision: number } };
  const next = JSON.parse(lease) as { revision: number };
  if (stored.status !== "open" || (document.lease?.revision ?? 0) !== next.revision - 1) {
    return { wait: stored, isAccepted: false, message: null };
  }
  const wait: StoredWait = {
    doc: JSON.stringify({ ...document, lease: next }),
    status: decision ? "answered" : "open",
    answer: decision && decision.answer,
  };
  database.run(UPDATE, [wait.doc, wait.status, wait.answer, tenant, id]);
  return { wait, isAccepted: true, message: decision && sendMessage(database, decision.message) };
}

/** `reminders` is JSON. */
export function noteReminder(database: Database, tenant: string, id: string, reminders: string): void {
  const stored = database.get<StoredWait>(ONE, [tenant, id]);
  if (!stored) return;
  const document = JSON.parse(stored.doc) as object;
  database.run("UPDATE waits SET doc = ? WHERE tenant = ? AND id = ?", [
    JSON.stringify({ ...document, reminders: JSON.parse(reminders) }),
    tenant,
    id,
  ]);
}

const UPDATE = "UPDATE waits SET doc = ?, status = ?, answer = ? WHERE tenant = ? AND id = ?";
const ONE = "SELECT doc, status, answer FROM waits WHERE tenant = ? AND id = ?";
