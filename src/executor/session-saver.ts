import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointListOptions,
  type CheckpointMetadata,
  type CheckpointTuple,
  type PendingWrite,
} from "@langchain/langgraph-checkpoint";
import { SESSION } from "../compiler/host.ts";
import { SignalboxError } from "../errors.ts";
import { patientRead, rest } from "./patient-read.ts";
import type { Session } from "./session.ts";

/** Between looks for a checkpoint that must be there, milliseconds: doubled, six seconds in all. */
const FIRST_PAUSE_MS = 50;
const LAST_PAUSE_MS = 3_200;

/**
 * LangGraph's checkpointer during execution: writes go to the session that holds the lease and become part of its fenced commits;
 * reads go to the store's own saver. Found by the session's key and not by the thread: a node that outlives its session must not write into the
 * next session of the same execution in this process. Without a session it is refused: whoever lost the lease cannot write.
 */
export class SessionSaver extends BaseCheckpointSaver {
  readonly #saver: BaseCheckpointSaver;
  readonly #sessions: ReadonlyMap<string, Session>;

  constructor(saver: BaseCheckpointSaver, sessions: ReadonlyMap<string, Session>) {
    super();
    this.#saver = saver;
    this.#sessions = sessions;
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const session = this.#session(config);
    // Nothing was ever written by an execution that is claimed for the first time: no read.
    if (!session.mayHaveCheckpoints) return undefined;
    const newest = withNewest(config, session);
    const read = (): Promise<CheckpointTuple | undefined> => patientRead(() => this.#saver.getTuple(newest), session);
    const found = await read();
    if (found || newest.configurable?.["checkpoint_id"] === undefined) return found;
    // Record and checkpoint are one commit. Whoever sees but half of it (a store under stress may show that) must not begin anew.
    for (let pause = FIRST_PAUSE_MS; pause <= LAST_PAUSE_MS; pause *= 2) {
      await rest(pause, session);
      const later = await read();
      if (later) return later;
    }
    throw new SignalboxError("INTERNAL", "The checkpoint that the execution's record names is missing.");
  }

  override async *list(config: RunnableConfig, options?: CheckpointListOptions): AsyncGenerator<CheckpointTuple> {
    yield* this.#saver.list(withTenant(config, this.#session(config)), options);
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const session = this.#session(config);
    const ns = namespaceOf(config);
    const parentId = config.configurable?.["checkpoint_id"];
    await session.put(ns, typeof parentId === "string" ? parentId : null, checkpoint, metadata, newVersions);
    return { configurable: { thread_id: session.id, [SESSION]: session.key, checkpoint_ns: ns, checkpoint_id: checkpoint.id } };
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    const checkpointId = String(config.configurable?.["checkpoint_id"]);
    await this.#session(config).putWrites(namespaceOf(config), checkpointId, taskId, writes);
  }

  override async deleteThread(): Promise<void> {
    throw new SignalboxError("INTERNAL", "Executions are deleted by retention, never through the graph.");
  }

  #session(config: RunnableConfig): Session {
    const session = this.#sessions.get(String(config.configurable?.[SESSION]));
    if (!session) throw new SignalboxError("LEASE_LOST");
    return session;
  }
}

function namespaceOf(config: RunnableConfig): string {
  return String(config.configurable?.["checkpoint_ns"] ?? "");
}

/** The newest checkpoint is the one the record names: a pod whose clock lags must not go on from an older one. */
function withNewest(config: RunnableConfig, session: Session): RunnableConfig {
  const { tenant, checkpoints } = session.execution;
  const newest = checkpoints[namespaceOf(config)];
  const asked = config.configurable?.["checkpoint_id"];
  return { ...config, configurable: { ...config.configurable, tenant, checkpoint_id: asked ?? newest } };
}

function withTenant(config: RunnableConfig, session: Session): RunnableConfig {
  return { ...config, configurable: { ...config.configurable, tenant: session.execution.tenant } };
}
