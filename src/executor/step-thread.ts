import type { RunnableConfig } from "@langchain/core/runnables";
import {
  BaseCheckpointSaver,
  type ChannelVersions,
  type Checkpoint,
  type CheckpointMetadata,
  type CheckpointTuple,
  type PendingWrite,
} from "@langchain/langgraph-checkpoint";
import type { StepPlace } from "../compiler/host.ts";
import { toSlot } from "../compiler/scope.ts";
import type { Execution } from "../definition/execution.ts";
import type { Json } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import type { Kept, StepThread } from "../steps/step.ts";
import type { Committer } from "./committer.ts";
import { patientRead, type Patience } from "./patient-read.ts";
import type { SessionReads } from "./session-reads.ts";

/** Values larger than this are referenced: a list in a graph's state is written whole with every superstep. */
const INLINE_BYTES = 512;

interface StepThreadOptions {
  place: StepPlace;
  draft: Execution;
  committer: Committer;
  reads: SessionReads;
  /** The store's own. */
  saver: BaseCheckpointSaver;
  flush(): Promise<void>;
  patience: Patience;
  /** Aborted when the execution is about to be handed over. */
  leaving: AbortSignal;
}

export function createStepThread(options: StepThreadOptions): StepThread {
  const { place, committer, reads, leaving } = options;
  return {
    checkpointer: new StepSaver(options),
    leaving,
    keep(value) {
      const large: { ref: string; value: Json }[] = [];
      const slot = toSlot(value, large, `A value of "${place.stepId}"`, INLINE_BYTES);
      reads.keep(large);
      committer.pending.values.push(...large);
      return slot;
    },
    async read(kept: readonly Kept[]) {
      const loaded = await reads.values(kept.flatMap((slot) => ("r" in slot ? [slot.r] : [])));
      return kept.map((slot) => ("v" in slot ? slot.v : (loaded.get(slot.r) ?? null)));
    },
  };
}

/** Visits that are over need no thread any more. */
export function forgetThreads(draft: Execution, paths: readonly string[]): void {
  for (const ns of Object.keys(draft.checkpoints)) {
    if (paths.some((path) => ns.startsWith(`@${path}/`))) delete draft.checkpoints[ns];
  }
}

/**
 * A visit's own thread as LangGraph sees it, kept as a namespace of the execution's thread: `@<path>/<visit>`, which no node can
 * have, and unlike LangGraph's own for a subgraph it does not change with the task that runs it.
 */
class StepSaver extends BaseCheckpointSaver {
  readonly #options: StepThreadOptions;
  readonly #ns: string;

  constructor(options: StepThreadOptions) {
    super();
    this.#options = options;
    this.#ns = `@${options.place.path}/${options.place.visit}`;
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const { draft, saver, flush, patience } = this.#options;
    const newest = draft.checkpoints[this.#ns];
    if (newest === undefined) return undefined;
    // What an attempt before this one left may not be written yet.
    await flush();
    const configurable = { thread_id: draft.id, tenant: draft.tenant, checkpoint_ns: this.#ns, checkpoint_id: newest };
    const tuple = await patientRead(() => saver.getTuple({ configurable }), patience);
    if (!tuple) return undefined;
    const { parentConfig: _, ...rest } = tuple;
    return { ...rest, config: this.#configOf(config, tuple.checkpoint.id) };
  }

  // oxlint-disable-next-line require-yield -- nobody asks for the history of a thread that is over with its visit
  override async *list(): AsyncGenerator<CheckpointTuple> {
    throw new SignalboxError("INTERNAL", "The thread of a step has no history.");
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const { draft, committer, flush } = this.#options;
    const { pending } = committer;
    const parent: unknown = config.configurable?.["checkpoint_id"];
    const parentId = typeof parent === "string" ? parent : null;
    // As in a session: a checkpoint holds what the writes of its parent led to.
    pending.writes = pending.writes.filter((entry) => entry.ns !== this.#ns || entry.checkpointId !== parentId);
    pending.checkpoints.push({ ns: this.#ns, parentId, checkpoint, metadata, newVersions });
    draft.checkpoints[this.#ns] = checkpoint.id;
    // The input alone says nothing that the step could not say again.
    if (metadata.source === "loop") await flush();
    return this.#configOf(config, checkpoint.id);
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    const { committer, flush } = this.#options;
    const checkpointId = String(config.configurable?.["checkpoint_id"]);
    committer.pending.writes.push({ ns: this.#ns, checkpointId, taskId, writes });
    // A lone task's checkpoint follows in the same turn and takes them along; beside a slower sibling none comes, and what is done
    // must not be lost. A lost lease aborts the session by itself.
    setImmediate(() => {
      if (committer.pending.writes.some((entry) => entry.taskId === taskId)) void flush().catch(() => {});
    });
  }

  override async deleteThread(): Promise<void> {
    throw new SignalboxError("INTERNAL", "The thread of a step is deleted with its execution.");
  }

  #configOf({ configurable }: RunnableConfig, checkpointId: string): RunnableConfig {
    return { configurable: { thread_id: configurable?.["thread_id"], checkpoint_ns: "", checkpoint_id: checkpointId } };
  }
}
