import type { RunnableConfig } from "@langchain/core/runnables";
import { BaseCheckpointSaver, getCheckpointId, type CheckpointListOptions, type CheckpointTuple } from "@langchain/langgraph-checkpoint";
import type { DocumentReference, Firestore } from "@google-cloud/firestore";
import { SignalboxError } from "../../errors.ts";
import type { Call } from "./caller.ts";
import type { BlobMemory } from "./checkpoint-memory.ts";
import { configured, createCheckpointReader } from "./checkpoint-reader.ts";
import type { Places } from "./places.ts";
import { QUERIES, queryOf } from "./queries.ts";

interface ExecutionCheckpointerOptions {
  firestore: Firestore;
  call: Call;
  places: Places;
  memory: BlobMemory;
}

/**
 * Reads the checkpoints that execution commits wrote. A thread is an execution; its tenant comes as `configurable.tenant`, or is
 * looked up while only one tenant has an execution of that id.
 */
export class ExecutionCheckpointer extends BaseCheckpointSaver {
  readonly #options: ExecutionCheckpointerOptions;
  readonly #reader;

  constructor(options: ExecutionCheckpointerOptions) {
    super();
    this.#options = options;
    this.#reader = createCheckpointReader({ ...options, hasParentWrites: true });
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const thread = await this.#thread(config);
    return thread && (await this.#reader.tuple(thread, configured(config, "checkpoint_ns") ?? "", getCheckpointId(config)));
  }

  override async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const thread = await this.#thread(config);
    if (!thread) return;
    let left = options.limit ?? Infinity;
    const namespace = configured(config, "checkpoint_ns");
    for await (const tuple of this.#reader.list(thread, { ...options, namespace, checkpointId: getCheckpointId(config) })) {
      if (left-- <= 0) return;
      yield tuple;
    }
  }

  override put(): Promise<RunnableConfig> {
    return Promise.reject(unfenced());
  }

  override putWrites(): Promise<void> {
    return Promise.reject(unfenced());
  }

  override deleteThread(): Promise<void> {
    return Promise.reject(unfenced());
  }

  async #thread(config: RunnableConfig): Promise<DocumentReference | undefined> {
    const { firestore, call, places } = this.#options;
    const [threadId, tenant] = [configured(config, "thread_id"), configured(config, "tenant")];
    if (threadId === undefined) return undefined;
    if (tenant !== undefined) return places.execution(tenant, threadId);
    const { docs } = await call(
      async () =>
        await queryOf(QUERIES.executionsById, firestore, { values: [threadId], limit: 2 })
          .select()
          .get(),
    );
    if (docs.length > 1)
      throw new SignalboxError("INVALID_INPUT", "Several tenants have an execution of this id: the config must name the tenant.");
    return docs[0]?.ref;
  }
}

function unfenced(): SignalboxError {
  return new SignalboxError(
    "INTERNAL",
    "Checkpoints of executions are written by their commits, which are fenced, and deleted by retention.",
  );
}
