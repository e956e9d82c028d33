import type { Memory, MemoryAppend } from "../../definition/memory.ts";
import { appended } from "../../definition/remember.ts";
import type { Clock } from "../../ports/clock.ts";
import type { MemoryStore } from "../../ports/memory-store.ts";
import type { Connection } from "./connection.ts";
import type { Database } from "./database.ts";

export function sqliteMemories({ read, write }: Connection, clock: Clock): MemoryStore {
  return {
    get: (tenant, key) =>
      read((database) => {
        const memory = memoryAt(database, tenant, key);
        return memory && Date.parse(memory.expiresAt) > clock.now() ? memory : undefined;
      }),
    delete: (tenant, key) => write("deleteMemory", { tenant, key }),
  };
}

/** Adds to a memory inside the transaction of a commit. */
export function appendMemory(database: Database, tenant: string, append: MemoryAppend): void {
  const memory = appended(memoryAt(database, tenant, append.key), append);
  database.run(
    "INSERT INTO memories (tenant, key, expire_at, doc) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET expire_at = excluded.expire_at, doc = excluded.doc",
    [tenant, append.key, Date.parse(memory.expiresAt), JSON.stringify(memory)],
  );
}

/** False where there was none. */
export function deleteMemory(database: Database, { tenant, key }: { tenant: string; key: string }): boolean {
  return database.run("DELETE FROM memories WHERE tenant = ? AND key = ?", [tenant, key]).changes === 1;
}

function memoryAt(database: Database, tenant: string, key: string): Memory | undefined {
  const row = database.get<{ doc: string }>("SELECT doc FROM memories WHERE tenant = ? AND key = ?", [tenant, key]);
  return row && (JSON.parse(row.doc) as Memory); // written by `appendMemory`
}
