import { randomUUID } from "node:crypto";
import type { Checkpoint, CheckpointMetadata, ChannelVersions, PendingWrite } from "@langchain/langgraph-checkpoint";
import type { ModelCalls } from "../ai/model-call.ts";
import type { Parking, Staged, StepHost, StepPlace, TimedDraft } from "../compiler/host.ts";
import type { Execution } from "../definition/execution.ts";
import type { SignalboxError } from "../errors.ts";
import type { EventOutlet } from "../relay/outlet.ts";
import type { Children } from "../steps/step.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { ExecutionHandle, ExecutionRef, Store } from "../ports/store.ts";
import { newCallback } from "./callbacks.ts";
import { createCommitter, type Committer } from "./committer.ts";
import { recordsDecisions } from "./decision-events.ts";
import { createGroups } from "./groups.ts";
import { announceWait, newWait } from "./waiting.ts";
import { withdraw } from "./withdraw.ts";
import { createSessionReads } from "./session-reads.ts";
import { createStepThread, forgetThreads } from "./step-thread.ts";

/** How long begun attempts and interrupts may wait for company before they are written, milliseconds. */
const LAZY_FLUSH_MS = 25;

export interface SessionOptions {
  /** The record the claim is based on. */
  handle: ExecutionHandle;
  /** The record as claimed: epoch + 1, this owner, messages absorbed. Owned by the session from here on. */
  draft: Execution;
  store: Store;
  clock: Clock;
  leaseMs: number;
  modelsFor(session: Session, place: StepPlace): ModelCalls;
  childrenFor(session: Session, place: StepPlace): Children;
  /** How steps reach others. */
  outside: Pick<StepHost, "fetch" | "circuit" | "traceparent">;
  /** Where others reach this service. */
  publicUrl(): string | undefined;
  outlet: EventOutlet;
  /** Called when a step failed for good: whatever else runs should stop at its next boundary. */
  onFailure(): void;
  /** Called when other executions were started or written to, durably. */
  onOthers(executions: ExecutionRef[]): void;
  /** Called when a step began to wait. */
  onWaiting(): void;
  /** Called when a superstep is about to be committed. */
  onSuperstep(): void;
  log(message: string, fields: Record<string, unknown>): void;
}

/**
 * One holding of an execution's lease: collects what nodes and LangGraph want written and turns it into fenced commits, one per
 * superstep. Everything a commit says about the execution is decided here, from `execution`.
 */
export interface Session extends StepHost {
  readonly id: string;
  /** Of this session alone: the execution may have another one in this process later. */
  readonly key: string;
  /** The record as it will be with the next commit. */
  readonly draft: Execution;
  readonly failure: Parking["failure"];
  readonly ended: Staged["end"];
  readonly committer: Committer;
  /** False while no checkpoint of this execution can exist. */
  readonly mayHaveCheckpoints: boolean;
  abort(reason: SignalboxError): void;
  /** Asks steps that run graphs of their own to stop between two supersteps. */
  leave(): void;
  /** Whether another execution of the tenant is there. */
  exists(executionId: string): Promise<boolean>;
  /** Stamps and adds an event of the execution itself. */
  event(draft: Omit<TimedDraft, "at">): void;
  /** Writes what is pending; resolves when it is durable. LEASE_LOST ends the session. */
  flush(): Promise<void>;
  /** LangGraph's checkpoint of a finished superstep, with everything staged by its tasks. */
  put(
    ns: string,
    parentId: string | null,
    checkpoint: Checkpoint,
    metadata: CheckpointMetadata,
    newVersions: ChannelVersions,
  ): Promise<void>;
  putWrites(ns: string, checkpointId: string, taskId: string, writes: PendingWrite[]): Promise<void>;
  /** Stops heartbeats and timers. */
  close(): void;
}

export function createSession(options: SessionOptions): Session {
  const { handle, draft, store, clock, log } = options;
  const controller = new AbortController();
  const leaving = new AbortController();
  const staged = new Map<string, Staged>();
  const patience = { signal: controller.signal, clock };
  const reads = createSessionReads(store, draft, patience);
  const committer: Committer = createCommitter({
    store,
    clock,
    leaseMs: options.leaseMs,
    handle,
    draft,
    outlet: options.outlet,
    onLost: (error) => controller.abort(error),
    onOthers: (executions) => options.onOthers(executions),
  });
  const { soon: flushSoon, now: flush, stop: stopFlushing } = createFlushing(clock, committer);
  const groups = createGroups({
    draft,
    withdraw: (branches) => withdrawWaits(committer, draft, branches, isoTime(clock)),
  });
  let stepsEntered = draft.stepsTaken;
  let failure: Parking["failure"];
  let ended: Staged["end"];
  /** True when a task finished since the last checkpoint was written. */
  let hasProgress = false;

  function apply(changes: Staged): void {
    hasProgress = true;
    committer.pending.drafts.push(...changes.events);
    committer.pending.values.push(...changes.values);
    committer.pending.starts.push(...(changes.starts ?? []));
    committer.pending.memories.push(...(changes.memories ?? []));
    reads.keep(changes.values);
    draft.stepsTaken += changes.steps;
    for (const path of changes.finished) delete draft.inFlight[path];
    forgetThreads(draft, changes.finished);
    closeWaits(draft, changes.closedWaits);
    forgetOverrides(draft, [...changes.finished, ...(changes.edited ?? [])]);
    groups.apply(changes);
    applyCompensations(draft, changes);
    forgetNamespaces(draft, changes);
    if (changes.end) ended = changes.end;
  }

  const session: Session = {
    id: handle.execution.id,
    key: randomUUID(),
    execution: draft,
    draft,
    clock,
    signal: controller.signal,
    committer,
    get failure() {
      return failure;
    },
    get ended() {
      return ended;
    },
    get mayHaveCheckpoints() {
      return draft.epoch > 1 || committer.handle.execution.epoch === draft.epoch;
    },
    abort: (reason) => controller.abort(reason),
    leave: () => leaving.abort(),
    exists: reads.exists,
    event: (event) => void committer.pending.drafts.push({ ...event, at: isoTime(clock) }),
    flush,
    log: (message, fields) => log(message, { executionId: draft.id, workflowId: draft.workflowId, ...fields }),

    get stepsEntered() {
      return stepsEntered;
    },
    countStep: (by) => void (stepsEntered += by),
    waitAt: (path, visit) => draft.waits.find((wait) => wait.path === path && wait.visit === visit),
    attemptsAt(path, visit) {
      const inFlight = draft.inFlight[path];
      return inFlight?.visit === visit ? inFlight.attempt : 0;
    },
    async begin(place, event, { isDurable } = { isDurable: false }) {
      committer.pending.drafts.push(event);
      draft.inFlight[place.path] = { stepId: place.stepId, visit: place.visit, attempt: place.attempt, startedAt: event.at };
      const isClaimDurable = committer.handle.execution.epoch === draft.epoch;
      if (isClaimDurable && !isDurable) flushSoon(LAZY_FLUSH_MS);
      else await flush();
    },
    note: (event) => void committer.pending.drafts.push(event),
    async record(events) {
      committer.pending.drafts.push(...events);
      await flush();
    },
    groupSignal: (key, rules) => groups.signal(key, rules),
    waitsWithin: (branch) => draft.waits.filter((wait) => isWithin(wait.branch, branch)).map(({ id }) => id),
    stage: (taskId, changes) => void staged.set(taskId, changes),
    park(place, parking, interruptId) {
      const wait = newWait(place, parking, interruptId, isoTime(clock));
      const previous = session.waitAt(place.path, place.visit);
      if (previous) closeWaits(draft, [previous.id]);
      delete draft.inFlight[place.path];
      apply(parking.staged);
      draft.waits.push(wait);
      if (parking.failure) {
        failure ??= parking.failure;
        options.onFailure();
      }
      announceWait(committer.pending, { execution: draft, wait, place, parking });
      committer.pending.starts.push(...(parking.wait.starts ?? []));
      options.onWaiting();
      flushSoon(LAZY_FLUSH_MS);
    },
    values: (refs) => reads.values(refs),
    memory: (key) => reads.memory(key),
    models: (place) => options.modelsFor(session, place),
    ...options.outside,
    async openCallback(place) {
      const { callback, openWaits } = newCallback(draft, place, { publicUrl: options.publicUrl(), at: isoTime(clock) });
      committer.pending.openWaits.push(...openWaits);
      await flush();
      return callback;
    },
    thread(place) {
      return createStepThread({ place, draft, committer, reads, saver: store.checkpointer, flush, patience, leaving: leaving.signal });
    },
    children: (place) => options.childrenFor(session, place),
    ...recordsDecisions({ draft, committer, reads, clock, flush }),

    async put(ns, parentId, checkpoint, metadata, newVersions) {
      // The checkpoint holds what the writes of its parent led to, and both are in one commit: the writes would never be read.
      committer.pending.writes = committer.pending.writes.filter((entry) => entry.ns !== ns || entry.checkpointId !== parentId);
      committer.pending.checkpoints.push({ ns, parentId, checkpoint, metadata, newVersions });
      draft.checkpoints[ns] = checkpoint.id;
      // A checkpoint of the input alone says nothing that the record does not say, and the end is committed by whoever finishes
      // the execution: neither needs an fsync of its own.
      if (!hasProgress || ended) return;
      hasProgress = false;
      options.onSuperstep();
      await flush();
    },
    async putWrites(ns, checkpointId, taskId, writes) {
      const changes = staged.get(taskId);
      staged.delete(taskId);
      if (changes) apply(changes);
      committer.pending.writes.push({ ns, checkpointId, taskId, writes });
      if (!changes) return;
      // A lone task's checkpoint follows in the same turn of the event loop and takes the writes along; beside a slower sibling
      // no checkpoint comes, and what is finished must not be lost.
      setImmediate(() => {
        if (committer.pending.writes.some((entry) => entry.taskId === taskId) && !ended) flushSoon(0);
      });
    },
    close() {
      stopFlushing();
      committer.close();
    },
  };
  return session;
}

function closeWaits(draft: Execution, ids: readonly string[]): void {
  if (ids.length > 0) draft.waits = draft.waits.filter(({ id }) => !ids.includes(id));
}

/** Flushes at once, or a little later in one commit with whatever else comes meanwhile. */
function createFlushing(clock: Clock, committer: Committer) {
  let cancel: (() => void) | undefined;
  const stop = () => {
    cancel?.();
    cancel = undefined;
  };
  return {
    soon(ms: number): void {
      cancel ??= clock.after(ms, () => {
        cancel = undefined;
        // A lost lease aborts the session by itself; whoever awaits the next flush hears of it too.
        void committer.flush().catch(() => {});
      });
    },
    now(): Promise<void> {
      stop();
      return committer.flush();
    },
    stop,
  };
}

/** Waits of regions that are not needed any more: answered as withdrawn, so that their nodes end. */
function withdrawWaits(committer: Committer, draft: Execution, branches: string[], at: string): void {
  const withdrawn = draft.waits.filter(({ answer, branch }) => answer === null && branches.some((outer) => isWithin(branch, outer)));
  for (const wait of withdrawn) wait.answer = { by: "cancelled", principal: null, at, data: {} };
  withdraw(committer, draft, withdrawn, { at, reason: "The branch that waited for it is not needed any more." });
}

/** A region that ended has no checkpoint to go on from. */
function forgetNamespaces(draft: Execution, { region }: Staged): void {
  if (!region) return;
  for (const ns of Object.keys(draft.checkpoints)) if (ns === region.ns || ns.startsWith(`${region.ns}|`)) delete draft.checkpoints[ns];
}

/** What was changed for a visit ends with it. */
function forgetOverrides(draft: Execution, paths: readonly string[]): void {
  const { overrides } = draft;
  if (!overrides || !paths.some((path) => Object.hasOwn(overrides, path))) return;
  draft.overrides = Object.fromEntries(Object.entries(overrides).filter(([path]) => !paths.includes(path)));
}

function applyCompensations(draft: Execution, { compensable, compensated }: Staged): void {
  if (compensable) draft.compensations.push(...compensable);
  if (compensated)
    draft.compensations = draft.compensations.filter(({ path, visit }) => path !== compensated.path || visit !== compensated.visit);
}

/** Region paths nest by a step between them: `fan.a` holds `fan.a/inner.b`. */
function isWithin(branch: string | null, outer: string): boolean {
  return branch !== null && (branch === outer || branch.startsWith(`${outer}/`));
}
