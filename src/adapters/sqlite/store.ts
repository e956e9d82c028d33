import type { Clock } from "../../ports/clock.ts";
import type { Store } from "../../ports/store.ts";
import { createChanges } from "./changes.ts";
import { createCheckpointFormat } from "./checkpoint-format.ts";
import { SqliteSaver } from "./checkpointer.ts";
import { connect, type Connection } from "./connection.ts";
import { sqliteDecisions } from "./decisions.ts";
import { sqliteEvents } from "./events.ts";
import { sqliteExecutions } from "./executions.ts";
import { sqliteInbound } from "./inbound.ts";
import { sqliteInbox } from "./inbox.ts";
import { sqliteMemories } from "./memories.ts";
import { sqliteLimits } from "./limits.ts";
import { holdOwner, noOwners, type Owners } from "./owners.ts";
import { createRetention } from "./retention.ts";
import { sqliteSchedules } from "./schedules.ts";
import { sqliteWaits } from "./waits.ts";
import { sqliteWebhooks } from "./webhooks.ts";
import { sqliteWorkflows } from "./workflows.ts";

export interface SqliteStoreOptions {
  /** Path of the file, made with its folder where missing; `:memory:` for data that ends with the handle. */
  path: string;
  /** Who claims executions through this handle; unique among living processes. */
  ownerId: string;
  clock: Clock;
}

/** The store, with the way to run a round of retention at once. */
export interface SqliteStore extends Store, AsyncDisposable {
  /** Deletes what retention has ended for; also done every ten minutes or so. Resolves with the number of executions deleted. */
  deleteExpired(): Promise<number>;
}

/**
 * The store in one SQLite file, durable (fsynced) when a promise resolves, shared by any number of processes of one machine.
 * UNAVAILABLE, in one line that names the path, where it cannot be opened.
 */
export async function openSqliteStore({ path, ownerId, clock }: SqliteStoreOptions): Promise<SqliteStore> {
  const changes = createChanges(() => connection);
  const connection: Connection = await connect({ path, onForeignWrite: () => changes.foreign() });
  const owners = await claimOwner(connection, ownerId);
  const checkpoints = createCheckpointFormat(connection);
  const retention = createRetention(connection, clock);
  let closing: Promise<void> | undefined;

  async function close(): Promise<void> {
    retention.stop();
    await connection.read((database) => owners.release(database, clock.now()));
    await connection.close();
  }

  return {
    workflows: sqliteWorkflows(connection),
    executions: sqliteExecutions({ connection, changes, owners, checkpoints }),
    events: sqliteEvents(connection, changes),
    inbox: sqliteInbox(connection, changes),
    waits: sqliteWaits(connection, changes),
    decisions: sqliteDecisions(connection),
    memories: sqliteMemories(connection, clock),
    schedules: sqliteSchedules(connection, clock),
    webhooks: sqliteWebhooks(connection, clock),
    ...sqliteInbound(connection, clock),
    limits: sqliteLimits(connection),
    checkpointer: new SqliteSaver(connection, checkpoints),
    async ping() {
      await connection.read((database) => database.get("SELECT 1 FROM workflows LIMIT 1"));
      await connection.write("ping", undefined);
    },
    deleteExpired: retention.run,
    close: () => (closing ??= close()),
    [Symbol.asyncDispose]: () => (closing ??= close()),
  };
}

async function claimOwner(connection: Connection, ownerId: string): Promise<Owners> {
  if (connection.path === ":memory:") return noOwners;
  try {
    return holdOwner(connection.path, ownerId);
  } catch (error) {
    await connection.close();
    throw error;
  }
}
