import type { BaseCheckpointSaver, Checkpoint, CheckpointMetadata, ChannelVersions, PendingWrite } from "@langchain/langgraph-checkpoint";
import type { DeadLetterQuery } from "../definition/dead-letter.ts";
import type { Decision } from "../definition/decision.ts";
import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution, ExecutionStatus, InboxMessage, NewExecution } from "../definition/execution.ts";
import type { Json } from "../definition/json.ts";
import type { MemoryAppend } from "../definition/memory.ts";
import type { Page } from "../definition/page.ts";
import type { Vote } from "../definition/voting.ts";
import type { OpenWait, Reminders, TaskLease, WaitAnswer, WaitKind } from "../definition/wait.ts";
import type { ExecutionStats, Workflow, WorkflowDefinition, WorkflowStatus } from "../definition/workflow.ts";
import type { DecisionStore } from "./decision-store.ts";
import type { MemoryStore } from "./memory-store.ts";
import type { WebhookStore } from "./webhook-store.ts";
import type { EventTypeStore, ParkedEventStore, ReceivedEventStore } from "./inbound-store.ts";
import type { ScheduleStore } from "./schedules.ts";
import type { LimitChanges, LimitStore } from "./limits.ts";

/**
 * Everything durable. Methods are the atomic commits the domain needs, not CRUD: each either happened as a whole or not at all,
 * and is durable (fsynced, or acknowledged by Firestore) when its promise resolves. All of them may throw UNAVAILABLE.
 */
export interface Store {
  readonly workflows: WorkflowStore;
  readonly executions: ExecutionStore;
  readonly events: EventStore;
  readonly inbox: InboxStore;
  readonly waits: WaitStore;
  readonly decisions: DecisionStore;
  readonly memories: MemoryStore;
  readonly schedules: ScheduleStore;
  readonly webhooks: WebhookStore;
  readonly received: ReceivedEventStore;
  readonly parked: ParkedEventStore;
  readonly eventTypes: EventTypeStore;
  readonly limits: LimitStore;
  /** LangGraph's own port on the same data: what `executions.commit` wrote as checkpoints is read through it. */
  readonly checkpointer: BaseCheckpointSaver;
  /** Reads one row: is the store there? Rejects with UNAVAILABLE where it is not. */
  ping(): Promise<void>;
  close(): Promise<void>;
}

export interface WorkflowStore {
  /** Writes version 1. CONFLICT where the id is taken. */
  create(workflow: Workflow): Promise<void>;
  /** Replaces the head guarded by the revision it is based on (else VERSION_MISMATCH); a new `version` is kept for ever. */
  update(workflow: Workflow, basedOnRevision: number): Promise<void>;
  get(tenant: string, id: string): Promise<Workflow | undefined>;
  getVersion(tenant: string, id: string, version: number): Promise<WorkflowDefinition | undefined>;
  getMany(tenant: string, ids: readonly string[]): Promise<Workflow[]>;
  list(tenant: string, filter: WorkflowQuery): Promise<Page<Workflow>>;
  /** A text that is another one after every write of a workflow of the tenant, by whichever process. One cheap read. */
  stamp(tenant: string): Promise<string>;
}

export interface WorkflowQuery {
  status?: WorkflowStatus | undefined;
  /** A workflow must carry all of them. */
  tags?: string[] | undefined;
  pageSize: number;
  pageToken?: string | undefined;
}

/** An execution as read or written, with the store's own proof of that state (a Firestore update time); opaque to everybody else. */
export interface ExecutionHandle {
  execution: Execution;
  token: string | null;
}

export interface ExecutionStore {
  /**
   * Writes a new execution with its first events (seq 1..n = `execution.lastSeq`) and takes its `permits`: LIMIT_EXCEEDED where another
   * one has one of them. Where an execution with the same (tenant, idempotencyKey) or the same id exists, nothing is written and that
   * one is returned with `created: false`.
   */
  create(execution: Execution, events: ExecutionEvent[]): Promise<ExecutionHandle & { created: boolean }>;
  get(tenant: string, id: string): Promise<ExecutionHandle | undefined>;
  getMany(tenant: string, ids: readonly string[]): Promise<Execution[]>;
  list(tenant: string, filter: ExecutionQuery): Promise<Page<Execution>>;
  /** Failed executions, and those paused by a failure, newest first; those somebody dismissed are a list of their own. */
  deadLetters(tenant: string, query: DeadLetterQuery): Promise<Page<Execution>>;
  /** The newest `limit` executions of each workflow in one round trip; a workflow without any has no entry. */
  recentOf(tenant: string, workflowIds: readonly string[], limit: number): Promise<Map<string, Execution[]>>;
  /** The newest `limit` executions that each of these started, in one round trip; one that started none has no entry. */
  childrenOf(tenant: string, parentIds: readonly string[], limit: number): Promise<Map<string, Execution[]>>;
  /** Counts by status and mean duration, one row per workflow id asked for. */
  stats(tenant: string, workflowIds: readonly string[]): Promise<Map<string, ExecutionStats & { lastExecuted: string | null }>>;
  /**
   * The one write of a running execution, all or nothing. Written only while the stored record has `guard.epoch` and
   * `guard.lastSeq`, else LEASE_LOST. A commit that is found already applied counts as done. Claims, heartbeats, supersteps and
   * endings are all this call; a claim carries `execution.epoch = guard.epoch + 1`.
   */
  commit(commit: ExecutionCommit): Promise<ExecutionHandle>;
  /** Executions with `wakeAt <= now`, earliest first, over all tenants; of one status where that is told. */
  due(now: number, limit: number, status?: ExecutionStatus): Promise<DueExecution[]>;
  /**
   * Owners of live leases that are provably gone, so that recovery need not wait for the lease to end. Only an adapter that can
   * prove it (one machine) answers with any.
   */
  deadOwners(now: number): Promise<string[]>;
  /** Executions leased to `owner`, over all tenants. */
  ownedBy(owner: string, limit: number): Promise<ExecutionRef[]>;
  /** Executions with `relayAt <= before`, earliest first, over all tenants. */
  relayDue(before: number, limit: number): Promise<(ExecutionRef & { relayAt: number })[]>;
  /**
   * Moves the relay's place in an execution nobody holds, and nothing else. Undefined, and nothing written, where the stored record
   * has another epoch, lastSeq or `relayAt` than the handle, or an owner. A `commit` based on the same read still counts.
   */
  markRelayed(handle: ExecutionHandle, place: RelayPlace): Promise<ExecutionHandle | undefined>;
}

/** How far an execution's events were handed on, and when somebody should look at it for that: fields of `Execution`. */
export type RelayPlace = Pick<Execution, "relayedSeq" | "relayAt">;

export interface ExecutionRef {
  tenant: string;
  id: string;
}

export type DueExecution = Pick<Execution, "tenant" | "id" | "status" | "createdAt" | "priority"> & { wakeAt: number };

export interface ExecutionQuery {
  workflowId?: string | undefined;
  status?: ExecutionStatus | undefined;
  /** Those that this execution started. */
  parentId?: string | undefined;
  pageSize: number;
  pageToken?: string | undefined;
}

/** What one commit writes beside the record. */
export interface ExecutionCommit {
  guard: { epoch: number; lastSeq: number; token: string | null };
  execution: Execution;
  /** seq = guard.lastSeq + 1 .. execution.lastSeq. Kept as one page. */
  events: ExecutionEvent[];
  checkpoints: CheckpointPut[];
  writes: CheckpointWrites[];
  /** Created if absent; an existing record stays. */
  decisions: Decision[];
  /** Waits opened for outsiders. */
  openWaits: OpenWait[];
  /** Waits that ended without `waits.answer`: those still open get `status`. */
  closeWaits: { id: string; status: "answered" | "expired" | "cancelled" }[];
  /** Waits people were reminded of. */
  remindedWaits: { id: string; reminders: Reminders }[];
  /** Inbox messages this commit acts on: deleted. */
  consumed: string[];
  /** Outputs too large to travel in every checkpoint, stored once under their digest. */
  values: { ref: string; value: Json }[];
  /**
   * Messages to other executions of the tenant, each created if absent: what one execution means for another is told exactly once,
   * because telling it and being it are one commit.
   */
  sends: InboxMessage[];
  /** Executions of the tenant that begin with this commit; one that is there already stays as it is. */
  starts: NewExecution[];
  /** What is added to memories of the tenant, each addition exactly once; other executions may add to the same at the same time. */
  memories: MemoryAppend[];
  /** What changes under limits; absent in nearly every commit. */
  limits?: LimitChanges | undefined;
}

/** Arguments of `BaseCheckpointSaver.put`, to be stored so that `checkpointer` returns them. The thread is the execution. */
export interface CheckpointPut {
  ns: string;
  parentId: string | null;
  checkpoint: Checkpoint;
  metadata: CheckpointMetadata;
  newVersions: ChannelVersions;
}

/** Arguments of `BaseCheckpointSaver.putWrites`. */
export interface CheckpointWrites {
  ns: string;
  checkpointId: string;
  taskId: string;
  writes: PendingWrite[];
}

export interface EventStore {
  /** Events after `afterSeq`, oldest first. */
  after(tenant: string, executionId: string, afterSeq: number, limit: number): Promise<ExecutionEvent[]>;
  /** The newest events before `beforeSeq`, oldest first. */
  before(tenant: string, executionId: string, beforeSeq: number, limit: number): Promise<ExecutionEvent[]>;
  /** `after` or `before` of several executions in one round trip (a list's relations must not read once per row). */
  pagesOf(
    tenant: string,
    executionIds: readonly string[],
    page: { afterSeq: number; limit: number } | { beforeSeq: number; limit: number },
  ): Promise<Map<string, ExecutionEvent[]>>;
  /**
   * Calls back whenever the execution may have new events, from whichever process; may call without need, may bring the events.
   * A watcher must still look by itself now and then: a silent listener is possible.
   */
  watch(tenant: string, executionId: string, onChange: (events: ExecutionEvent[]) => void): () => void;
  /** A large output by the reference an event or a checkpoint holds. */
  values(tenant: string, executionId: string, refs: readonly string[]): Promise<Map<string, Json>>;
}

export interface InboxStore {
  /** False where a message with the id is there already. */
  send(message: InboxMessage): Promise<boolean>;
  /** Oldest first. */
  list(tenant: string, executionId: string): Promise<InboxMessage[]>;
  /** Executions with messages sent before `sentBefore` (epoch ms): their hint was lost. */
  waiting(sentBefore: number, limit: number): Promise<ExecutionRef[]>;
  /** Calls back when a message for the execution may have arrived, from whichever process. */
  watch(tenant: string, executionId: string, onChange: () => void): () => void;
  /** Calls back when any execution may have become due or got mail through another process. */
  watchAll(onChange: () => void): () => void;
}

export interface WaitStore {
  get(tenant: string, id: string): Promise<OpenWait | undefined>;
  list(tenant: string, filter: WaitQuery): Promise<Page<OpenWait>>;
  /** All waits of one kind, open or not, of several executions in one round trip, oldest first. */
  listOf(tenant: string, executionIds: readonly string[], kind: WaitKind): Promise<Map<string, OpenWait[]>>;
  /**
   * Open waits of any execution on one topic, a page at a time in the order of their ids. Sees every wait whose commit resolved before
   * the call.
   */
  onTopic(tenant: string, topic: string, page: { afterId?: string | undefined; limit: number }): Promise<OpenWait[]>;
  /**
   * Answers an open wait, first come first served, and sends `message` in the same commit. Returns the wait as it is now and
   * whether this call was the one; undefined where there is none.
   */
  answer(
    tenant: string,
    id: string,
    status: "answered" | "expired",
    answer: WaitAnswer,
    message: InboxMessage | null,
  ): Promise<{ wait: OpenWait; accepted: boolean } | undefined>;
  /**
   * Adds a vote to an open wait that has exactly `after` votes. With `decision` it is the one that decides: the wait is answered and
   * the message sent in the same commit. Not accepted: the wait has ended, or somebody voted meanwhile; look at it and judge again.
   */
  vote(
    tenant: string,
    id: string,
    vote: Vote,
    after: number,
    decision: { answer: WaitAnswer; message: InboxMessage } | null,
  ): Promise<{ wait: OpenWait; accepted: boolean } | undefined>;
  /**
   * Writes the lease of an open wait whose lease has the revision before this one (none has 0). With `decision` the wait is answered and
   * the message sent in the same commit. Not accepted: the wait has ended, or somebody was quicker.
   */
  lease(
    tenant: string,
    id: string,
    lease: TaskLease,
    decision: { answer: WaitAnswer; message: InboxMessage } | null,
  ): Promise<{ wait: OpenWait; accepted: boolean } | undefined>;
}

export interface WaitQuery {
  kind?: WaitKind | undefined;
  status?: OpenWait["status"] | undefined;
  executionId?: string | undefined;
  workflowId?: string | undefined;
  pageSize: number;
  pageToken?: string | undefined;
}
