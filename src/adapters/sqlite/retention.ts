import type { Clock } from "../../ports/clock.ts";
import { deleteThread } from "./checkpoint-operations.ts";
import type { Connection } from "./connection.ts";
import type { Database } from "./database.ts";
import { fromKey } from "./key.ts";

const EVERY_MS = 10 * 60_000;
/** Executions deleted in one write; whoever else writes waits no longer than that takes (about 5 ms). */
const AT_ONCE = 20;
/** The same for received and parked events, which are one row each. */
const EVENTS_AT_ONCE = 500;
const DELETE_CHILD = "DELETE FROM execution_children WHERE tenant = ? AND parent_id = ? AND created_at = ? AND id = ?";

/** Deletes executions whose retention has ended, with all that belongs to them. What they counted for stays counted. */
export interface Retention {
  /** One round; resolves with the number of executions deleted. */
  run(): Promise<number>;
  stop(): void;
}

export function createRetention({ write }: Connection, clock: Clock): Retention {
  let isStopped = false;
  let cancel = plan();

  // Processes on one file start together and need not go round together.
  function plan(): () => void {
    return clock.after(EVERY_MS * (0.5 + Math.random()), () => void tick());
  }

  async function tick(): Promise<void> {
    try {
      await run();
      while ((await write("deleteExpiredEvents", { now: clock.now(), limit: EVENTS_AT_ONCE })) >= EVENTS_AT_ONCE && !isStopped);
    } catch {
      // A round that failed is begun anew next time: every delete can be repeated.
    } finally {
      if (!isStopped) cancel = plan();
    }
  }

  async function run(): Promise<number> {
    let deleted = 0;
    for (;;) {
      const now = await write("deleteExpired", { now: clock.now(), limit: AT_ONCE });
      deleted += now;
      if (now < AT_ONCE || isStopped) return deleted;
    }
  }

  return {
    run,
    stop() {
      isStopped = true;
      cancel();
    },
  };
}

/** The number of executions deleted. */
export function deleteExpired(database: Database, { now, limit }: { now: number; limit: number }): number {
  database.run("DELETE FROM memories WHERE expire_at <= ?", [now]);
  const rows = database.all<{ number: number; tenant: string; id: string; createdAt: string; parentId: string | null }>(
    `SELECT number, tenant, id, created_at "createdAt", doc ->> '$.parent.executionId' "parentId" FROM executions WHERE expire_at <= ? LIMIT ?`,
    [now, limit],
  );
  for (const { number, createdAt, parentId, ...keys } of rows) {
    const [tenant, id] = [fromKey(keys.tenant), fromKey(keys.id)];
    for (const table of ["event_pages", "execution_values", "relays"]) database.run(`DELETE FROM ${table} WHERE execution = ?`, [number]);
    for (const table of ["inbox", "waits", "decisions"])
      database.run(`DELETE FROM ${table} WHERE tenant = ? AND execution_id = ?`, [tenant, id]);
    deleteThread(database, { tenant, thread: id });
    database.run("DELETE FROM execution_children WHERE tenant = ? AND parent_id = ?", [tenant, id]);
    if (parentId !== null) database.run(DELETE_CHILD, [tenant, parentId, createdAt, id]);
    database.run("DELETE FROM executions WHERE number = ?", [number]);
  }
  return rows.length;
}
