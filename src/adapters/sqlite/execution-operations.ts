import type { MemoryAppend } from "../../definition/memory.ts";
import type { Permit } from "../../definition/execution.ts";
import { SignalboxError } from "../../errors.ts";
import type { LimitChanges } from "../../ports/limits.ts";
import { putCheckpoints, type CheckpointRows } from "./checkpoint-operations.ts";
import type { Database } from "./database.ts";
import { sendMessage, type MessageRow } from "./inbox-operations.ts";
import { appendMemory } from "./memories.ts";
import { changeLimits, takePermits } from "./limit-operations.ts";
import { closeWait, insertWait, noteReminder, type WaitRow } from "./wait-operations.ts";
import { placeRelay } from "./relay-operations.ts";

/** An execution's document with the columns it is searched by. */
export interface ExecutionRow {
  tenant: string;
  id: string;
  workflowId: string;
  status: string;
  createdAt: string;
  idempotencyKey: string | null;
  epoch: number;
  lastSeq: number;
  owner: string | null;
  leaseUntil: number | null;
  wakeAt: number | null;
  expireAt: number | null;
  /** Undefined: it has no row among the relays, and never had. */
  relayAt: number | null | undefined;
  durationMs: number | null;
  parentId: string | null;
  doc: string;
}

export interface EventPage {
  firstSeq: number;
  /** The events as a JSON array. */
  doc: string;
}

export interface DecisionRow {
  id: string;
  executionId: string;
  workflowId: string;
  stepId: string;
  at: string;
  doc: string;
}

export interface CommitRows {
  guard: { epoch: number; lastSeq: number };
  row: ExecutionRow;
  page: EventPage | null;
  checkpoints: CheckpointRows | null;
  decisions: DecisionRow[];
  openWaits: WaitRow[];
  closeWaits: { id: string; status: string }[];
  /** `reminders` as JSON. */
  remindedWaits: { id: string; reminders: string }[];
  consumed: readonly string[];
  values: { ref: string; doc: string }[];
  sends: MessageRow[];
  memories: MemoryAppend[];
  starts: NewRows[];
  limits: LimitChanges | undefined;
}

export interface NewRows {
  row: ExecutionRow;
  page: EventPage | null;
  permits?: readonly Permit[];
}

const INSERT = /* sql */ `
  INSERT INTO executions (tenant, id, workflow_id, status, created_at, idempotency_key, epoch, last_seq, owner, lease_until, wake_at, expire_at, duration_ms, doc)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`;
const INSERT_CHILD = "INSERT INTO execution_children (tenant, parent_id, created_at, id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING";

/** The new execution's event page number, or the document that was there already. */
export function createExecution(database: Database, { row, page, permits = [] }: NewRows): { page: number | null } | { found: string } {
  const { tenant, id, idempotencyKey } = row;
  const { changes, lastInsertRowid } = database.run(INSERT, [
    tenant,
    id,
    row.workflowId,
    row.status,
    row.createdAt,
    idempotencyKey,
    row.epoch,
    row.lastSeq,
    row.owner,
    row.leaseUntil,
    row.wakeAt,
    row.expireAt,
    row.durationMs,
    row.doc,
  ]);
  if (changes === 1) {
    if (row.parentId !== null) database.run(INSERT_CHILD, [tenant, row.parentId, row.createdAt, id]);
    placeRelay(database, lastInsertRowid, row.relayAt);
    takePermits(database, row, permits);
    return { page: page && insertPage(database, lastInsertRowid, page) };
  }
  const found =
    database.get<{ doc: string }>("SELECT doc FROM executions WHERE tenant = ? AND idempotency_key = ?", [tenant, idempotencyKey]) ??
    database.get<{ doc: string }>("SELECT doc FROM executions WHERE tenant = ? AND id = ?", [tenant, id]);
  if (!found) throw new SignalboxError("INTERNAL");
  return { found: found.doc };
}

interface Stored {
  number: number;
  epoch: number;
  lastSeq: number;
  status: string;
  owner: string | null;
  leaseUntil: number | null;
  wakeAt: number | null;
  expireAt: number | null;
}

/** Numbers of what others watch for: event pages, null without events, and messages, null where they were there. */
export interface Committed {
  page: number | null;
  messages: (number | null)[];
  started: (number | null)[];
}

/** LEASE_LOST where the guard does not fit and the commit is not there already. */
export function commitExecution(database: Database, commit: CommitRows): Committed {
  const { guard, row, page } = commit;
  const { tenant, id } = row;
  const stored = database.get<Stored>(
    'SELECT number, epoch, last_seq "lastSeq", status, owner, lease_until "leaseUntil", wake_at "wakeAt", expire_at "expireAt" FROM executions WHERE tenant = ? AND id = ?',
    [tenant, id],
  );
  if (stored?.epoch !== guard.epoch || stored.lastSeq !== guard.lastSeq) {
    if (stored && isApplied(database, stored, row)) return { page: null, messages: [], started: [] };
    throw new SignalboxError("LEASE_LOST", undefined, {
      details: { executionId: id, epoch: stored?.epoch ?? null, lastSeq: stored?.lastSeq ?? null },
    });
  }
  updateExecution(database, stored, row);
  placeRelay(database, stored.number, row.relayAt);
  if (commit.limits) changeLimits(database, row, commit.limits);
  writeParts(database, stored.number, commit);
  return {
    page: page && insertPage(database, stored.number, page),
    messages: commit.sends.map((message) => sendMessage(database, message)),
    started: commit.starts.map((rows) => {
      const result = createExecution(database, rows);
      return "page" in result ? result.page : null;
    }),
  };
}

/** What goes with the document in one commit. */
function writeParts(database: Database, execution: number, commit: CommitRows): void {
  const { tenant, id } = commit.row;
  if (commit.checkpoints) putCheckpoints(database, commit.checkpoints);
  for (const decision of commit.decisions) insertDecision(database, tenant, decision);
  for (const wait of commit.openWaits) insertWait(database, wait);
  for (const { id: waitId, status } of commit.closeWaits) closeWait(database, tenant, waitId, status);
  for (const { id: waitId, reminders } of commit.remindedWaits) noteReminder(database, tenant, waitId, reminders);
  for (const messageId of commit.consumed) {
    database.run("DELETE FROM inbox WHERE tenant = ? AND execution_id = ? AND id = ?", [tenant, id, messageId]);
  }
  for (const append of commit.memories) appendMemory(database, tenant, append);
  for (const { ref, doc } of commit.values) {
    database.run("INSERT INTO execution_values (execution, ref, doc) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", [execution, ref, doc]);
  }
}

/** The very same document is there: an answer was lost on its way, and the sender asks again. */
function isApplied(database: Database, { number }: Stored, { doc }: ExecutionRow): boolean {
  return database.get<{ doc: string }>("SELECT doc FROM executions WHERE number = ?", [number])?.doc === doc;
}

/** Sets only what changed: SQLite rewrites the index entries of every column that is named, changed or not. */
function updateExecution(database: Database, stored: Stored, row: ExecutionRow): void {
  const names = ["doc = ?", "epoch = ?", "last_seq = ?"];
  const values: (string | number | null)[] = [row.doc, row.epoch, row.lastSeq];
  const set = (column: string, value: string | number | null): void => {
    names.push(`${column} = ?`);
    values.push(value);
  };
  if (stored.status !== row.status) {
    set("status", row.status);
    set("duration_ms", row.durationMs);
  }
  if (stored.owner !== row.owner) set("owner", row.owner);
  if (stored.leaseUntil !== row.leaseUntil) set("lease_until", row.leaseUntil);
  if (stored.wakeAt !== row.wakeAt) set("wake_at", row.wakeAt);
  if (stored.expireAt !== row.expireAt) set("expire_at", row.expireAt);
  database.run(`UPDATE executions SET ${names.join(", ")} WHERE number = ?`, [...values, stored.number]);
}

function insertPage(database: Database, execution: number, { firstSeq, doc }: EventPage): number {
  return database.run("INSERT INTO event_pages (execution, first_seq, doc) VALUES (?, ?, ?)", [execution, firstSeq, doc]).lastInsertRowid;
}

function insertDecision(database: Database, tenant: string, { id, executionId, workflowId, stepId, at, doc }: DecisionRow): void {
  database.run(
    "INSERT INTO decisions (tenant, id, execution_id, workflow_id, step_id, at, doc) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [tenant, id, executionId, workflowId, stepId, at, doc],
  );
}
