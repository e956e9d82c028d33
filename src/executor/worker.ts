import type { ModelCalls } from "../ai/model-call.ts";
import type { CompiledWorkflow } from "../compiler/compile.ts";
import type { StepPlace } from "../compiler/host.ts";
import { TERMINAL_STATUSES, type Execution } from "../definition/execution.ts";
import type { Limits } from "../definition/workflow.ts";
import { toSignalboxError } from "../errors.ts";
import type { HttpFetch } from "../outbound/http.ts";
import { NO_OUTLET, type EventOutlet } from "../relay/outlet.ts";
import type { Clock } from "../ports/clock.ts";
import type { Queue, WorkHint } from "../ports/queue.ts";
import type { ExecutionHandle, ExecutionRef, Store } from "../ports/store.ts";
import { absorb, nextWakeAt } from "./absorb.ts";
import { createChildren } from "./children.ts";
import type { Circuits } from "./circuits.ts";
import { expireListedWaits } from "./expire.ts";
import { holdExecution, type Holding } from "./hold.ts";
import { createSession, type Session } from "./session.ts";
import type { SessionSaver } from "./session-saver.ts";
import { createPreparer } from "./start.ts";
import { upcast } from "./upcast.ts";
import { createWakeups, type Wakeups } from "./wakeups.ts";

/** Claims in a row without a checkpoint between them after which an execution is taken to kill its workers. */
const MAX_IDLE_CLAIMS = 20;

export interface WorkerOptions {
  id: string;
  store: Store;
  clock: Clock;
  /** Where hints go for executions that this one wrote to. */
  queue: Pick<Queue, "enqueue">;
  sessions: Map<string, Session>;
  saver: SessionSaver;
  /** Executions that run at once. */
  concurrency: number;
  leaseMs: number;
  /** Waits that end within this are timed in process; the sweeper knows the rest, milliseconds. */
  horizonMs: number;
  /** True: drops every execution from memory after each superstep and takes it up again, so that everything is a recovery. */
  suspendAlways?: boolean;
  compiled(execution: Execution): Promise<CompiledWorkflow>;
  modelsFor(session: Session, place: StepPlace, limits: Limits | undefined): ModelCalls;
  /** How steps ask somebody outside. */
  fetch: HttpFetch;
  /** Where others reach this service; undefined where nobody said. */
  publicUrl?(): string | undefined;
  circuits: Circuits;
  /** W3C `traceparent` of what a visit sends out. */
  traceparent?: ((executionId: string, visit: StepPlace) => string) | undefined;
  /** Who hears of the events; nobody unless told. */
  outlet?: EventOutlet | undefined;
  log(message: string, fields: Record<string, unknown>): void;
}

export interface Worker {
  readonly id: string;
  /** Takes a hint: claims and runs the execution when there is something to do. Never rejects. */
  take(hint: WorkHint): void;
  /** Looks at an execution whose owner is dead as if its lease were over. */
  takeOver(hint: WorkHint, deadOwner: string): void;
  readonly wakeups: Wakeups;
  readonly running: number;
  readonly queued: number;
  /** Executions that could begin now. */
  readonly freeSlots: number;
  /** Resolves when nothing runs and nothing is queued: for tests and for draining. */
  idle(): Promise<void>;
  /** Stops taking; lets steps reach a checkpoint for `graceMs`, then interrupts them; hands everything over. */
  drain(graceMs: number): Promise<void>;
}

export function createWorker(options: WorkerOptions): Worker {
  const { id, store, clock, sessions, saver, concurrency, leaseMs, log } = options;
  const holdings = new Map<string, Holding>();
  const claiming = new Set<string>();
  /** Hinted while its claim was under way. */
  const again = new Map<string, WorkHint>();
  const backlog = new Map<string, WorkHint>();
  const deadOwners = new Set<string>();
  const outlet = options.outlet ?? NO_OUTLET;
  const prepare = createPreparer({ store, clock, outlet });
  let idleCallbacks: (() => void)[] = [];
  let isStopped = false;

  const wakeups = createWakeups({ clock, horizonMs: options.horizonMs, wake: take });

  function take(hint: WorkHint): void {
    const { executionId } = hint;
    if (isStopped) return;
    const holding = holdings.get(executionId);
    if (holding) void holding.poke();
    else if (claiming.has(executionId)) again.set(executionId, { ...hint, handle: undefined });
    else if (claiming.size >= concurrency) backlog.set(executionId, hint);
    else begin(hint);
  }

  function begin(hint: WorkHint): void {
    const { executionId } = hint;
    claiming.add(executionId);
    void work(hint)
      .catch((error: unknown) => report(hint, error))
      .finally(() => {
        claiming.delete(executionId);
        const repeat = again.get(executionId);
        again.delete(executionId);
        if (repeat) take(repeat);
        beginNext();
      });
  }

  function beginNext(): void {
    for (const [executionId, hint] of backlog) {
      if (claiming.size >= concurrency || isStopped) return;
      backlog.delete(executionId);
      begin(hint);
    }
    if (claiming.size > 0) return;
    for (const resolve of idleCallbacks) resolve();
    idleCallbacks = [];
  }

  function report({ executionId }: WorkHint, thrown: unknown): void {
    const error = toSignalboxError(thrown);
    // Somebody else was quicker, or the store is away: the sweeper comes back to it.
    const fields = {
      executionId,
      code: error.code,
      error: error.code === "INTERNAL" && thrown instanceof Error ? thrown.stack : error.message,
    };
    log(error.code === "LEASE_LOST" ? "lease lost" : "execution left alone", fields);
  }

  async function hintAt({ tenant, id: executionId }: ExecutionRef): Promise<void> {
    try {
      await options.queue.enqueue({ tenant, executionId });
    } catch (error) {
      // What was written is durable: the sweeper finds it.
      report({ tenant, executionId }, error);
    }
  }

  async function work(hint: WorkHint): Promise<void> {
    const handle = hint.handle ?? (await store.executions.get(hint.tenant, hint.executionId));
    if (!handle || handle.execution.schema !== 1 || isLeased(handle.execution)) return;
    const isNew = handle.execution.epoch === 0 && hint.handle !== undefined;
    const now = clock.now();
    const draft = upcast(handle.execution);
    // Before the mail is read: who answers in time is in it.
    const expired = await expireListedWaits(store, draft, now);
    const inbox = isNew ? [] : await store.inbox.list(hint.tenant, hint.executionId);
    if (TERMINAL_STATUSES.has(handle.execution.status) && inbox.length === 0) return;
    const absorbed = absorb(draft, inbox, now, expired);
    if (isNothing(absorbed) && handle.execution.owner === null && handle.execution.wakeAt === nextWakeAt(draft)) return schedule(handle);
    Object.assign(draft, { epoch: draft.epoch + 1, owner: id, leaseUntil: now + leaseMs, idleClaims: draft.idleClaims + 1 });
    const workflow = await options.compiled(draft);
    const session = createSession({
      handle,
      draft,
      store,
      clock,
      leaseMs,
      modelsFor: (own, place) => options.modelsFor(own, place, workflow.plan.definition.limits),
      outside: {
        fetch: options.fetch,
        circuit: (breaker) => options.circuits.of(draft.tenant, breaker),
        traceparent: (place) => options.traceparent?.(draft.id, place),
      },
      childrenFor({ signal, traceparent }, place) {
        const from = { parent: draft, place, traceparent: traceparent(place) };
        return createChildren({ ...from, store, prepare, patience: { signal, clock } });
      },
      onOthers: (executions) => void Promise.all(executions.map(hintAt)),
      outlet,
      onFailure: () => holdings.get(draft.id)?.stop(),
      onWaiting: () => holdings.get(draft.id)?.lookBack(),
      onSuperstep: () => options.suspendAlways && holdings.get(draft.id)?.drain(),
      publicUrl: () => options.publicUrl?.(),
      log,
    });
    const holding = holdExecution({ session, workflow, saver, store, isPoison: draft.idleClaims > MAX_IDLE_CLAIMS });
    sessions.set(session.id, session);
    holdings.set(session.id, holding);
    let settled: ExecutionHandle;
    try {
      settled = await holding.run(absorbed);
    } finally {
      sessions.delete(session.id);
      holdings.delete(session.id);
      if (holding.hasLeftovers) again.set(session.id, { tenant: hint.tenant, executionId: hint.executionId });
    }
    // Only now: what is due already is hinted at once, and must not be taken for mail of the holding that just ended.
    schedule(settled);
  }

  function isLeased({ owner, leaseUntil }: Execution): boolean {
    return owner !== null && owner !== id && !deadOwners.has(owner) && leaseUntil !== null && leaseUntil > clock.now();
  }

  function schedule({ execution }: ExecutionHandle): void {
    if (execution.wakeAt !== null) wakeups.at(execution.wakeAt, { tenant: execution.tenant, executionId: execution.id });
  }

  function idle(): Promise<void> {
    return claiming.size === 0 ? Promise.resolve() : new Promise((resolve) => idleCallbacks.push(resolve));
  }

  return {
    id,
    take,
    takeOver(hint, owner) {
      deadOwners.add(owner);
      take(hint);
    },
    wakeups,
    get running() {
      return holdings.size;
    },
    get queued() {
      return backlog.size;
    },
    get freeSlots() {
      return isStopped ? 0 : Math.max(0, concurrency - claiming.size - backlog.size);
    },
    idle,
    async drain(graceMs) {
      isStopped = true;
      wakeups.clear();
      backlog.clear();
      for (const holding of holdings.values()) holding.drain();
      const cancelTimer = clock.after(graceMs, () => {
        for (const holding of holdings.values()) holding.interrupt();
      });
      await idle();
      cancelTimer();
    },
  };
}

function isNothing({ action, consumed }: ReturnType<typeof absorb>): boolean {
  return action === "rest" && consumed.length === 0;
}
