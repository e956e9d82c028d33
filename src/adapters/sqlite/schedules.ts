import type { Clock } from "../../ports/clock.ts";
import type { ScheduleCursor, ScheduleStore } from "../../ports/schedules.ts";
import type { Connection } from "./connection.ts";

/** Its time is the clock's: all processes on one file are on one machine. */
export function sqliteSchedules({ read, write }: Connection, clock: Clock): ScheduleStore {
  return {
    get: (tenant, workflowId, triggerId) =>
      read((database) => {
        const row = database.get<Doc>("SELECT doc FROM schedules WHERE tenant = ? AND workflow_id = ? AND trigger_id = ?", [
          tenant,
          workflowId,
          triggerId,
        ]);
        return { now: clock.now(), cursor: row && cursorOf(row) };
      }),
    put(cursor, basedOnRevision) {
      const { tenant, workflowId, triggerId, revision, dueAt } = cursor;
      return write("putSchedule", {
        row: { tenant, workflowId, triggerId, revision, dueAt, doc: JSON.stringify(cursor) },
        basedOnRevision,
      });
    },
    remove: (tenant, workflowId, triggerId, revision) => write("removeSchedule", { tenant, workflowId, triggerId, revision }),
    due: (before, limit) =>
      read((database) => {
        const rows = database.all<Doc>("SELECT doc FROM schedules WHERE due_at <= ? ORDER BY due_at LIMIT ?", [before, limit]);
        return { now: clock.now(), cursors: rows.map(cursorOf) };
      }),
  };
}

interface Doc {
  doc: string;
}

const cursorOf = ({ doc }: Doc): ScheduleCursor => JSON.parse(doc) as ScheduleCursor; // written by `put`
