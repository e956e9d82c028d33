import { Command, isGraphDrained, RunControl } from "@langchain/langgraph";
import type { CompiledWorkflow } from "../compiler/compile.ts";
import type { WorkflowPlan } from "../compiler/plan.ts";
import type { GraphState, Slot } from "../compiler/state.ts";
import type { Execution, ExecutionError } from "../definition/execution.ts";
import { SESSION } from "../compiler/host.ts";
import { SignalboxError, toSignalboxError, traceOf } from "../errors.ts";
import { outsideOfGraphs } from "../steps/outside-of-graphs.ts";
import type { Variable } from "../definition/workflow.ts";
import { isoTime } from "../ports/clock.ts";
import type { ExecutionHandle, Store } from "../ports/store.ts";
import { absorb, absorbMailbox, grant, nextWakeAt, type Absorbed, type Wish } from "./absorb.ts";
import { findEarlier } from "./look-back.ts";
import type { Session } from "./session.ts";
import type { SessionSaver } from "./session-saver.ts";
import { cancel, complete, fail, failOrPause, handOver, leaveLine, ofExecution, park, pause, type Settling } from "./settle.ts";

/** A claimed execution while it runs in this process. */
export interface Holding {
  readonly session: Session;
  /** Looks at the mail; called on every hint for the execution. */
  poke(): Promise<void>;
  /** Called when a step began to wait for events of the tenant while others may still be at work. */
  lookBack(): void;
  /** True when mail was taken in too late for the last commit: somebody must look again. */
  readonly hasLeftovers: boolean;
  /** Asks to stop at the next superstep. */
  stop(): void;
  /** Asks to stop at the next superstep, of a step's own graph too, and to hand the execution over. */
  drain(): void;
  /** Stops steps that are at work now; whoever takes over repeats them with the same idempotency key. */
  interrupt(): void;
  /** Runs until the execution ends, rests or is handed over. LEASE_LOST where somebody else owns it now. */
  run(absorbed: Absorbed): Promise<ExecutionHandle>;
}

interface HoldOptions {
  session: Session;
  workflow: CompiledWorkflow;
  saver: SessionSaver;
  store: Store;
  /** True when its claims never led to a checkpoint: it seems to kill its workers. */
  isPoison: boolean;
}

/** How long an execution runs before its mail is watched, milliseconds. */
const WATCHED_AFTER_MS = 250;

/** LangGraph's own bound on supersteps is per invocation; ours are `limits.maxSteps` and `maxVisits`. */
const NO_RECURSION_LIMIT = 1_000_000;

const NONE_EXPIRED: ReadonlyMap<string, never> = new Map<string, never>();

/** Claims in a row without a checkpoint between them after which an error nobody foresaw ends the execution. */
const TRIES_AFTER_THROW = 3;

export function holdExecution({ session, workflow: { plan, graph }, saver, store, isPoison }: HoldOptions): Holding {
  const { draft, clock } = session;
  let control = new RunControl();
  let wish: Wish | undefined;
  let isDraining = false;
  let isOver = false;
  let hasMissed = false;
  /** Messages absorbed already; their rows are there until the commit that consumes them. */
  const taken = new Set<string>();
  let looking: Promise<void> = Promise.resolve();

  /** What was taken in goes with the next commit. */
  function note({ events, consumed, closed, reminded, sends, wish: wished }: Absorbed): void {
    const { pending } = session.committer;
    pending.drafts.push(...events);
    pending.remindedWaits.push(...reminded);
    pending.sends.push(...sends);
    closeListed(session, closed);
    consume(consumed);
    wish = wished;
  }

  function take(absorbed: Absorbed): void {
    note(absorbed);
    for (const { id } of wish?.messages ?? []) taken.add(id);
    if (wish?.action === "cancel") session.abort(new SignalboxError("CANCELLED", wish.reason ?? undefined));
    else if (wish) control.requestDrain("pause");
    else if (absorbed.answered) control.requestDrain("answer");
  }

  function consume(ids: readonly string[]): void {
    session.committer.pending.consumed.push(...ids);
    for (const id of ids) taken.add(id);
  }

  function settling(state?: GraphState): Settling {
    return {
      session,
      plan,
      state,
      endWish() {
        if (wish) consume(grant(draft, wish));
        wish = undefined;
      },
    };
  }

  async function look(): Promise<void> {
    if (session.signal.aborted) return;
    const inbox = isOver ? [] : await store.inbox.list(draft.tenant, draft.id);
    if (isOver) {
      hasMissed = true;
      return;
    }
    const fresh = inbox.filter(({ id }) => !taken.has(id));
    // What the clock ends is taken in when the execution is taken up again: here nobody would notice who was first.
    if (fresh.length > 0) take(absorb(draft, fresh, clock.now(), NONE_EXPIRED, wish));
  }

  const lookBack = async (): Promise<void> => take({ ...absorbMailbox(draft, await findEarlier(session, store)), wish });

  async function run(absorbed: Absorbed): Promise<ExecutionHandle> {
    const stopTimer = draft.deadlineAt === null ? () => {} : clock.after(draft.deadlineAt - clock.now(), () => session.abort(overtime()));
    const stopWatching = watchMail(session, store, () => void holding.poke());
    try {
      if (absorbed.action === "run") announce(session);
      note(absorbed);
      if (isPoison)
        return await fail(settling(), errorOf(new SignalboxError("INTERNAL", "It was claimed again and again without progress.")));
      return absorbed.action === "run" ? await runUntilSettled() : await settleResting(absorbed);
    } finally {
      isOver = true;
      stopTimer();
      stopWatching();
      session.close();
    }
  }

  async function settleResting({ action }: Absorbed): Promise<ExecutionHandle> {
    if (wish?.action === "cancel") return await cancel(settling(), wish.reason);
    if (wish?.action === "pause") return await pause(settling(), wish.reason);
    if (action === "expire") return await fail(settling(), errorOf(overtime()));
    return await session.committer.release(nextWakeAt(draft));
  }

  async function runUntilSettled(): Promise<ExecutionHandle> {
    for (;;) {
      control = new RunControl();
      if (isDraining) control.requestDrain("shutdown");
      const outcome = await invoke();
      await looking;
      const settled = await settle(outcome);
      if (settled) return settled;
      // An answer came while another branch was still at work: what is pending must be readable before the graph goes on.
      await session.flush();
    }
  }

  async function invoke(): Promise<{ state?: GraphState; error?: unknown }> {
    const config = {
      configurable: { thread_id: session.id, [SESSION]: session.key },
      durability: "sync" as const,
      recursionLimit: NO_RECURSION_LIMIT,
      signal: session.signal,
      control,
    };
    try {
      const input = await graphInput(session, plan, saver);
      // With `streamMode: values`, the default, a run returns the state of its channels.
      return { state: (await outsideOfGraphs(() => graph.invoke(input, config))) as unknown as GraphState };
    } catch (error) {
      return { error };
    }
  }

  async function settleAborted(state: GraphState | undefined): Promise<ExecutionHandle> {
    const reason = toSignalboxError(session.signal.reason);
    if (wish?.action === "cancel") return await cancel(settling(state), wish.reason);
    if (reason.code === "MAX_DURATION_EXCEEDED") return await fail(settling(state), errorOf(reason));
    if (reason.code === "UNAVAILABLE" && isDraining) return await handOver(session);
    throw reason;
  }

  async function settle({ state, error }: { state?: GraphState; error?: unknown }): Promise<ExecutionHandle | undefined> {
    if (session.signal.aborted) return await settleAborted(state);
    if (session.ended)
      return "failure" in session.ended
        ? await fail(settling(state), session.ended.failure)
        : await complete(settling(state), session.ended.output);
    if (session.failure) return await failOrPause(settling(state), session.failure);
    // A store that cannot be reached is no failure of the execution: whoever holds the lease next goes on.
    if (error !== undefined && toSignalboxError(error).code === "UNAVAILABLE") throw error;
    if (error !== undefined && !isGraphDrained(error)) {
      session.log("the graph threw", { error: traceOf(error) });
      if (toSignalboxError(error).code === "INTERNAL" && draft.idleClaims <= TRIES_AFTER_THROW) return await leaveToNext(session, error);
      return await fail(settling(state), errorOf(toSignalboxError(error)));
    }
    if (wish?.action === "pause") return await pause(settling(state), wish.reason);
    if (isDraining) return await handOver(session);
    if (error !== undefined) return undefined;
    await lookBack();
    if (wish !== undefined || session.signal.aborted || draft.waits.some(({ answer }) => answer !== null)) return undefined;
    if (draft.waits.length > 0) return await park(settling(state));
    return await fail(settling(state), errorOf(new SignalboxError("INTERNAL", "The graph stopped without an end.")));
  }

  const holding: Holding = {
    session,
    poke() {
      // One look after the other: two must not absorb the same message.
      looking = looking
        .then(look)
        .catch((error: unknown) => session.log("reading the inbox failed", { error: error instanceof Error ? error.message : "unknown" }));
      return looking;
    },
    get hasLeftovers() {
      return hasMissed || session.committer.pending.consumed.length > 0;
    },
    // Done again, and not forgiven, before the execution is parked.
    lookBack: () => void (looking = looking.then(lookBack).catch(() => {})),
    stop: () => control.requestDrain("failure"),
    drain() {
      isDraining = true;
      session.leave();
      holding.stop();
    },
    interrupt: () => session.abort(new SignalboxError("UNAVAILABLE", "The worker is shutting down.")),
    run,
  };
  return holding;
}

/** Neither a step nor the definition did that. As after a crash, the next holder tries again when the lease is over, in another process maybe. */
async function leaveToNext(session: Session, error: unknown): Promise<never> {
  // Written, or nobody would count the claim.
  await session.flush();
  throw error;
}

/** What the graph goes on with: answers, its last checkpoint, or its first step. */
async function graphInput({ id, key, draft }: Session, plan: WorkflowPlan, saver: SessionSaver): Promise<Command | null> {
  const answered = draft.waits.filter(({ answer }) => answer !== null);
  // Always by id, always an object: an unkeyed resume answers every interrupt, a falsy one is refused (`langgraph.md` §1.4).
  if (answered.length > 0)
    return new Command({ resume: Object.fromEntries(answered.map(({ interruptId, answer }) => [interruptId, { answer }])) });
  const hasCheckpoint = (await saver.getTuple({ configurable: { thread_id: id, [SESSION]: key, checkpoint_ns: "" } })) !== undefined;
  if (hasCheckpoint) return null;
  // A Command goes straight to the first step; plain input would first spend a superstep on LangGraph's own start node.
  return new Command({ update: { _vars: initialVariables(draft, plan.definition.variables) }, goto: plan.start });
}

/** Waits that ended are closed in the list; one that is not written yet is written as ended. */
function closeListed({ committer }: Session, closed: Absorbed["closed"]): void {
  const { openWaits, closeWaits } = committer.pending;
  for (const { id, status } of closed) {
    const unwritten = openWaits.find((wait) => wait.id === id);
    if (unwritten) unwritten.status = status;
    else closeWaits.push({ id, status });
  }
}

function announce(session: Session): void {
  const { draft } = session;
  draft.isParked = false;
  leaveLine(session);
  const { owner, epoch } = session.committer.handle.execution;
  // An owner that never gave the lease back is dead or was silent for too long; of this epoch, it is the one that was let in just now.
  const takenFrom = epoch === draft.epoch ? null : owner;
  const summary = `Claimed by ${draft.owner ?? ""}${takenFrom === null ? "" : `, taken over from ${takenFrom}`}.`;
  session.event(ofExecution("execution.claimed", summary, { worker: draft.owner, epoch: draft.epoch, takenFrom }));
  if (draft.startedAt !== null) return;
  draft.startedAt = isoTime(session.clock);
  draft.status = "RUNNING";
  session.event(ofExecution("execution.started", "Started.", {}));
}

/** The definition's defaults under what the start request gave. */
function initialVariables(draft: Execution, declared: Record<string, Variable>): Record<string, Slot> {
  const defaults = Object.entries(declared).map(([name, { default: value }]): [string, Slot] => [name, { v: value ?? null }]);
  const given = Object.entries(draft.initialVariables).map(([name, value]): [string, Slot] => [name, { v: value }]);
  return Object.fromEntries([...defaults, ...given]);
}

function overtime(): SignalboxError {
  return new SignalboxError("MAX_DURATION_EXCEEDED");
}

function errorOf(error: SignalboxError): ExecutionError {
  return { code: error.code, message: error.message, stepId: null, visit: null, path: null, retryable: error.retryable };
}

/** A short execution is over before anybody can write to it: only what lasts is watched for mail of other processes. */
function watchMail({ draft, clock }: Session, store: Store, look: () => void): () => void {
  let stop = () => {};
  const cancelTimer = clock.after(WATCHED_AFTER_MS, () => {
    stop = store.inbox.watch(draft.tenant, draft.id, look);
    look();
  });
  return () => {
    cancelTimer();
    stop();
  };
}
