import type { Database } from "./database.ts";

/** Says when somebody should hand on the execution's events; null takes its row away. */
export function placeRelay(database: Database, execution: number, relayAt: number | null | undefined): void {
  if (relayAt === undefined) return;
  if (relayAt === null) database.run("DELETE FROM relays WHERE execution = ?", [execution]);
  else {
    // Written only where it changes: a running execution says the same time again with every commit.
    database.run(
      "INSERT INTO relays (execution, relay_at) VALUES (?, ?) ON CONFLICT DO UPDATE SET relay_at = excluded.relay_at WHERE relay_at <> excluded.relay_at",
      [execution, relayAt],
    );
  }
}

export interface RelayMark {
  tenant: string;
  id: string;
  /** What the stored record must have; nobody may hold it. */
  guard: { epoch: number; lastSeq: number; relayAt: number | null };
  relayAt: number | null;
  doc: string;
}

/** False where the stored record is another one, or held. */
export function markRelayed(database: Database, { tenant, id, guard, relayAt, doc }: RelayMark): boolean {
  const stored = database.get<{ number: number; relayAt: number | null }>(
    `SELECT number, relay_at "relayAt" FROM executions LEFT JOIN relays ON execution = number
      WHERE tenant = ? AND id = ? AND epoch = ? AND last_seq = ? AND owner IS NULL`,
    [tenant, id, guard.epoch, guard.lastSeq],
  );
  if (!stored || stored.relayAt !== guard.relayAt) return false;
  database.run("UPDATE executions SET doc = ? WHERE number = ?", [doc, stored.number]);
  placeRelay(database, stored.number, relayAt);
  return true;
}
