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
import type { DocumentReference, Firestore } from "@google-cloud/firestore";
import { SignalboxError } from "../../errors.ts";
import { createCaller, type Call } from "./caller.ts";
import { checkpointDocument, taskWriteDocument, type StoredDocuments } from "./checkpoint-document.ts";
import { createBlobMemory } from "./checkpoint-memory.ts";
import { configured, createCheckpointReader } from "./checkpoint-reader.ts";
import { createFirestoreClient } from "./client.ts";
import { documentId } from "./document-id.ts";
import { checkSize, commitOnce, splitBySize } from "./document-write.ts";
import { taskWrites } from "./task-writes.ts";

const DELETE_DEADLINE_MS = 60_000;

export interface FirestoreSaverOptions {
  /** A client of yours, or the id of a project to make one for. */
  firestore: Firestore | { project: string; databaseId?: string };
  /** Collection that holds the threads; "threads" unless told. */
  collection?: string;
}

/**
 * LangGraph checkpoints in Firestore: one document per checkpoint, newest first by name, values of 32 KiB and more stored once and
 * shared. Needs no composite index. Calls end after 5 s with a SignalboxError of code UNAVAILABLE.
 *
 * @example
 * const checkpointer = new FirestoreSaver({ firestore: { project: "my-project" } });
 * const graph = new StateGraph(State).addNode("chat", chat).addEdge(START, "chat").compile({ checkpointer });
 * await graph.invoke({ question: "…" }, { configurable: { thread_id: "42" } });
 */
export class FirestoreSaver extends BaseCheckpointSaver {
  readonly #firestore: Firestore;
  readonly #collection: string;
  readonly #memory = createBlobMemory();
  readonly #ownsClient: boolean;
  readonly #caller = createCaller();
  readonly #call: Call = this.#caller.call;
  readonly #reader;

  constructor({ firestore, collection = "threads" }: FirestoreSaverOptions) {
    super();
    this.#ownsClient = "project" in firestore;
    this.#firestore = "project" in firestore ? createFirestoreClient(firestore) : firestore;
    this.#collection = collection;
    this.#reader = createCheckpointReader({ firestore: this.#firestore, call: this.#call, memory: this.#memory, hasParentWrites: false });
  }

  override async getTuple(config: RunnableConfig): Promise<CheckpointTuple | undefined> {
    const threadId = configured(config, "thread_id");
    if (threadId === undefined) return undefined;
    return await this.#reader.tuple(this.#thread(threadId), configured(config, "checkpoint_ns") ?? "", getCheckpointId(config));
  }

  override async *list(config: RunnableConfig, options: CheckpointListOptions = {}): AsyncGenerator<CheckpointTuple> {
    const threadId = configured(config, "thread_id");
    const namespace = configured(config, "checkpoint_ns");
    const all = async (): Promise<DocumentReference[]> => await this.#firestore.collection(this.#collection).listDocuments();
    const threads = threadId === undefined ? await this.#call(all) : [this.#thread(threadId)];
    let left = options.limit ?? Infinity;
    for (const thread of threads) {
      for await (const tuple of this.#reader.list(thread, { ...options, namespace, checkpointId: getCheckpointId(config) })) {
        if (left-- <= 0) return;
        yield tuple;
      }
    }
  }

  override async put(
    config: RunnableConfig,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<RunnableConfig> {
    const threadId = required(config, "thread_id");
    const ns = configured(config, "checkpoint_ns") ?? "";
    const parentId = configured(config, "checkpoint_id") ?? null;
    const thread = this.#thread(threadId);
    const put = { ns, parentId, checkpoint, metadata, newVersions };
    const stored = await checkpointDocument({ thread, threadId, put })(this.#memory.of(thread, ns, parentId));
    await this.#write(stored);
    this.#memory.keep(thread, ns, checkpoint.id, stored.blobs);
    return { configurable: { thread_id: threadId, checkpoint_ns: ns, checkpoint_id: checkpoint.id } };
  }

  override async putWrites(config: RunnableConfig, writes: PendingWrite[], taskId: string): Promise<void> {
    const thread = this.#thread(required(config, "thread_id"));
    const checkpointId = required(config, "checkpoint_id");
    const ns = configured(config, "checkpoint_ns") ?? "";
    await this.#write(await taskWriteDocument(thread, { ns, checkpointId, writes: taskWrites(taskId, writes) })());
  }

  override async deleteThread(threadId: string): Promise<void> {
    const thread = this.#thread(threadId);
    this.#memory.forget(thread);
    await this.#call(async () => await this.#firestore.recursiveDelete(thread), DELETE_DEADLINE_MS);
  }

  /** Ends what is under way and, where the saver made it, the client. */
  async close(): Promise<void> {
    await this.#caller.close();
    if (this.#ownsClient) await this.#firestore.terminate();
  }

  #thread(threadId: string): DocumentReference {
    return this.#firestore.collection(this.#collection).doc(documentId(threadId));
  }

  /** Large values may take several commits; the document that refers to them is in the last one. */
  async #write({ newBlobs, document }: StoredDocuments): Promise<void> {
    for (const commit of splitBySize([...newBlobs, document])) {
      checkSize(commit);
      await this.#call(async () => await commitOnce(this.#firestore, commit));
    }
  }
}

function required(config: RunnableConfig, field: "thread_id" | "checkpoint_id"): string {
  const value = configured(config, field);
  if (value === undefined) throw new SignalboxError("INVALID_INPUT", `The config has no configurable.${field}.`);
  return value;
}
