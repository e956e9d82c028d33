import type { Database } from "./database.ts";

export interface ReceivedRow {
  tenant: string;
  id: string;
  type: string;
  subjectTopic: string | null;
  source: string;
  eventId: string;
  outcome: string;
  receivedAt: string;
  expireAt: number;
  /** The event without its result, which changes alone. */
  doc: string;
  result: string;
}

/** False where one with the id is there already. */
export function addReceived(database: Database, row: ReceivedRow): boolean {
  const { changes } = database.run(
    /* sql */ `INSERT INTO received_events (tenant, id, type, subject_topic, source, event_id, outcome, received_at, expire_at, doc, result)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    [
      row.tenant,
      row.id,
      row.type,
      row.subjectTopic,
      row.source,
      row.eventId,
      row.outcome,
      row.receivedAt,
      row.expireAt,
      row.doc,
      row.result,
    ],
  );
  return changes === 1;
}

export function setResult(database: Database, row: { tenant: string; id: string; outcome: string; result: string }): null {
  database.run("UPDATE received_events SET outcome = ?, result = ? WHERE tenant = ? AND id = ?", [
    row.outcome,
    row.result,
    row.tenant,
    row.id,
  ]);
  return null;
}

export interface ParkedRow {
  tenant: string;
  id: string;
  code: string;
  status: string;
  parkedAt: string;
  expireAt: number;
  doc: string;
}

/** False where one with the id is there already. */
export function addParked(database: Database, { tenant, id, code, status, parkedAt, expireAt, doc }: ParkedRow): boolean {
  const { changes } = database.run(
    "INSERT INTO parked_events (tenant, id, code, status, parked_at, expire_at, doc) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
    [tenant, id, code, status, parkedAt, expireAt, doc],
  );
  return changes === 1;
}

/** First come, first served. */
export function settleParked(database: Database, row: { tenant: string; id: string; status: string; settled: string }): boolean {
  const { changes } = database.run("UPDATE parked_events SET status = ?, settled = ? WHERE tenant = ? AND id = ? AND status = 'PARKED'", [
    row.status,
    row.settled,
    row.tenant,
    row.id,
  ]);
  return changes === 1;
}

export function putEventType(database: Database, row: { tenant: string; id: string; createdAt: string; doc: string }): null {
  database.run(
    /* sql */ `INSERT INTO event_types (tenant, id, created_at, doc) VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET doc = excluded.doc`,
    [row.tenant, row.id, row.createdAt, row.doc],
  );
  return null;
}

export function removeEventType(database: Database, { tenant, id }: { tenant: string; id: string }): boolean {
  return database.run("DELETE FROM event_types WHERE tenant = ? AND id = ?", [tenant, id]).changes === 1;
}

/** The number of rows deleted of the table that lost most. */
export function deleteExpiredEvents(database: Database, { now, limit }: { now: number; limit: number }): number {
  const deleted = ["received_events", "parked_events"].map(
    (table) =>
      database.run(`DELETE FROM ${table} WHERE rowid IN (SELECT rowid FROM ${table} WHERE expire_at <= ? LIMIT ?)`, [now, limit]).changes,
  );
  return Math.max(...deleted);
}
