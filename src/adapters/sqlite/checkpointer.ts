import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  getCheckpointId,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointTuple,
  type PendingWrite,
} from "@langchain/langgraph-checkpoint";
import { createCheckpointFormat, type CheckpointFormat } from "./checkpoint-format.ts";
import type { ThreadKey } from "./checkpoint-operations.ts";
import { listCheckpoints, readTuple, tenantOf } from "./checkpoint-reads.ts";
import { connect, type Connection } from "./connection.ts";

/**
 * LangGraph checkpoints in SQLite. Threads are found by `configurable.thread_id`; `configurable.tenant` keeps apart threads of the
 * same id, and may be left out where there is only one.
 *
 * @example
 * const checkpointer = await SqliteSaver.open("./checkpoints.db");
 * const graph = builder.compile({ checkpointer });
 */
export class SqliteSaver extends BaseCheckpointSaver {
  readonly #connection: Connection;
  readonly #format: CheckpointFormat;

  constructor(connection: Connection, format: CheckpointFormat = createCheckpointFormat(connection)) {
    super();
    this.#connection = connection;
    this.#format = format;
  }

  /** A saver on a file of its own, or on `:memory:`. UNAVAILABLE where it cannot be opened. */
  static async open(path: string): Promise<SqliteSaver> {
    return new SqliteSaver(await connect({ path }));
  }

  async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { thread_id: thread, checkpoint_ns: ns = "", tenant } = configurableOf(config);
    if (thread === undefined) return undefined;
    return await this.#connection.read((database) => {
      const key = { tenant: tenantOf(database, thread, tenant), thread };
      return readTuple(database, { key, namesTenant: tenant !== undefined, ns, id: getCheckpointId(config) });
    });
  }

  override async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const { thread_id: thread, checkpoint_ns: ns, checkpoint_id: id, tenant } = configurableOf(config);
    const before = options.before && getCheckpointId(options.before);
    yield* listCheckpoints(this.#connection, {
      thread,
      tenant,
      ns,
      id,
      before: before === "" ? undefined : before,
      filter: options.filter,
      limit: options.limit,
    });
  }

  async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { checkpoint_ns: ns = "", checkpoint_id: parentId = null, tenant } = configurableOf(config);
    const key = this.#keyOf(config, "put a checkpoint");
    const packed = this.#format.pack({
      execution: { tenant: key.tenant, id: key.thread },
      checkpoints: [{ ns, parentId, checkpoint, metadata, newVersions }],
      writes: [],
    });
    if (packed) await this.#connection.write("putCheckpoints", packed.rows);
    packed?.stored();
    return {
      configurable: { ...(tenant !== undefined && { tenant }), thread_id: key.thread, checkpoint_ns: ns, checkpoint_id: checkpoint.id },
    };
  }

  async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    const { checkpoint_ns: ns = "", checkpoint_id: checkpointId } = configurableOf(config);
    const key = this.#keyOf(config, "put writes");
    if (checkpointId === undefined) throw new Error('Failed to put writes: the config has no "checkpoint_id" in its "configurable".');
    const packed = this.#format.pack({
      execution: { tenant: key.tenant, id: key.thread },
      checkpoints: [],
      writes: [{ ns, checkpointId, taskId, writes }],
    });
    if (packed) await this.#connection.write("putCheckpoints", packed.rows);
  }

  async deleteThread(threadId: string): Promise<void> {
    const tenant = await this.#connection.read((database) => tenantOf(database, threadId, undefined));
    await this.#connection.write("deleteThread", { tenant, thread: threadId });
  }

  /** Ends the writer of a saver that was opened by itself. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  #keyOf(config: RunnableConfig, what: string): ThreadKey {
    const { thread_id: thread, tenant } = configurableOf(config);
    if (thread === undefined) throw new Error(`Failed to ${what}: the config has no "thread_id" in its "configurable".`);
    return { thread, tenant: tenant ?? this.#connection.readNow((database) => tenantOf(database, thread, undefined)) };
  }
}

interface Configurable {
  thread_id?: string;
  checkpoint_ns?: string;
  checkpoint_id?: string;
  tenant?: string;
}

/** The keys this saver reads. */
function configurableOf({ configurable = {} }: RunnableConfig): Configurable {
  const given: Configurable = {};
  for (const key of ["thread_id", "checkpoint_ns", "checkpoint_id", "tenant"] as const) {
    const value: unknown = configurable[key];
    if (value === undefined || value === null) continue;
    // Numbers are common as thread ids; anything else is a mistake that must not become "[object Object]".
    if (typeof value !== "string" && typeof value !== "number")
      throw new TypeError(`"${key}" in the config's "configurable" must be a string.`);
    given[key] = String(value);
  }
  return given;
}
