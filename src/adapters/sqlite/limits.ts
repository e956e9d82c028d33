import type { LimitStore } from "../../ports/limits.ts";
import type { Connection } from "./connection.ts";
import { fromKey } from "./key.ts";

const LIST = /* sql */ `
  SELECT name "limit", sum(taken) taken, sum(waiting) waiting FROM (
    SELECT name, count(*) taken, 0 waiting FROM permits WHERE tenant = ?1 GROUP BY name
    UNION ALL SELECT name, 0, count(*) FROM lines WHERE tenant = ?1 GROUP BY name
  ) GROUP BY name ORDER BY name LIMIT ?2`;

export function sqliteLimits({ read }: Connection): LimitStore {
  return {
    look: (tenant, limit, length) =>
      read((database) => ({
        taken: database
          .all<{ number: number }>("SELECT number FROM permits WHERE tenant = ? AND name = ? ORDER BY number", [tenant, limit])
          .map(({ number }) => number),
        line: database
          .all<{ executionId: string; rank: number; until: number }>(
            'SELECT execution_id "executionId", rank, until FROM lines WHERE tenant = ? AND name = ? ORDER BY rank, execution_id LIMIT ?',
            [tenant, limit, length],
          )
          .map((row) => ({ ...row, executionId: fromKey(row.executionId) })),
      })),
    list: (tenant, limit) =>
      read((database) =>
        database
          .all<{ limit: string; taken: number; waiting: number }>(LIST, [tenant, limit])
          .map((row) => ({ ...row, limit: fromKey(row.limit) })),
      ),
  };
}
