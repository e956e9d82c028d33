import type { Permit } from "../../definition/execution.ts";
import { SignalboxError } from "../../errors.ts";
import type { LimitChanges } from "../../ports/limits.ts";
import type { Database } from "./database.ts";

interface Holder {
  tenant: string;
  id: string;
}

/** LIMIT_EXCEEDED where another execution has one of the permits. */
export function takePermits(database: Database, { tenant, id }: Holder, permits: readonly Permit[]): void {
  for (const { limit, number } of permits) {
    const { changes } = database.run(
      "INSERT INTO permits (tenant, name, number, execution_id) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
      [tenant, limit, number, id],
    );
    if (changes === 1) continue;
    const holder = database.get<{ id: string }>("SELECT execution_id id FROM permits WHERE tenant = ? AND name = ? AND number = ?", [
      tenant,
      limit,
      number,
    ]);
    if (holder?.id !== id) throw new SignalboxError("LIMIT_EXCEEDED", undefined, { details: { limit } });
  }
}

export function changeLimits(database: Database, holder: Holder, { take, give, join, leave }: LimitChanges): void {
  const { tenant, id } = holder;
  takePermits(database, holder, take);
  for (const { limit, number } of give) {
    database.run("DELETE FROM permits WHERE tenant = ? AND name = ? AND number = ? AND execution_id = ?", [tenant, limit, number, id]);
  }
  if (leave) {
    database.run("DELETE FROM lines WHERE tenant = ? AND name = ? AND rank = ? AND execution_id = ?", [
      tenant,
      leave.limit,
      leave.rank,
      id,
    ]);
  }
  if (join) {
    database.run(
      "INSERT INTO lines (tenant, name, rank, execution_id, until) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET until = excluded.until",
      [tenant, join.limit, join.rank, id, join.until],
    );
  }
}
