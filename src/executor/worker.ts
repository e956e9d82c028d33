import type { ModelCalls } from "../ai/model-call.ts";
import type { CompiledWorkflow } from "../compiler/compile.ts";
import type { StepPlace } from "../compiler/host.ts";
import type { Execution } from "../definition/execution.ts";
import type { Limits } from "../definition/workflow.ts";
import { toSignalboxError, traceOf } from "../errors.ts";
import type { HttpFetch } from "../outbound/http.ts";
import { NO_OUTLET, type EventOutlet } from "../relay/outlet.ts";
import type { Clock } from "../ports/clock.ts";
import type { Queue, WorkHint } from "../ports/queue.ts";
import type { ExecutionHandle, Store } from "../ports/store.ts";
import { createAdmission, type Claim } from "./admission.ts";
import { createBacklog } from "./backlog.ts";
import { createChildren } from "./children.ts";
import type { Circuits } from "./circuits.ts";
import { holdExecution, type Holding } from "./hold.ts";
import { createSession, type Session } from "./session.ts";
import type { SessionSaver } from "./session-saver.ts";
import { createPreparer, type Prepare } from "./start.ts";
import { createTakeUp } from "./take-up.ts";
import { createTally } from "./tally.ts";
import { createUnable } from "./unable.ts";
import { createWakeups, type Wakeups } from "./wakeups.ts";

/** A backlog of fewer is nearly empty. */
const SHORT = 100;
/** Claims in a row without a checkpoint between them after which an execution is taken to kill its workers. */
const MAX_IDLE_CLAIMS = 20;

export interface WorkerOptions {
  id: string;
  store: Store;
  clock: Clock;
  /** Where hints go for executions that this one wrote to. */
  queue: Pick<Queue, "enqueue">;
  /** By key. */
  sessions: Map<string, Session>;
  saver: SessionSaver;
  /** Executions that run at once. */
  concurrency: number;
  leaseMs: number;
  /** Waits that end within this are timed in process; the sweeper knows the rest, milliseconds. */
  horizonMs: number;
  /** True: drops every execution from memory after each superstep and takes it up again, so that everything is a recovery. */
  suspendAlways?: boolean;
  /** Most executions of a tenant that may be under way at once; undefined: no limit. */
  tenantMax?(tenant: string): number | undefined;
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
  /** Takes what the clock says is due: no news of what is here already, and it is looked at when that ends. */
  takeDue(hint: WorkHint): void;
  /** Looks at an execution whose owner is dead as if its lease were over. */
  takeOver(hint: WorkHint, deadOwner: string): void;
  readonly wakeups: Wakeups;
  readonly running: number;
  readonly queued: number;
  /** Executions that could begin now. */
  readonly freeSlots: number;
  /** Calls back once when the backlog is nearly empty: whoever knows of more work hands it in then. */
  whenShort(tell: () => void): void;
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
  /** Executions under way or about to be, by tenant. */
  const busy = createTally();
  const backlog = createBacklog({ runningOf: busy.of });
  const deadOwners = new Set<string>();
  const outlet = options.outlet ?? NO_OUTLET;
  const prepare = createPreparer({ store, clock, outlet });
  let idleCallbacks: (() => void)[] = [];
  let isStopped = false;
  let onShort: (() => void) | undefined;

  const takeUp = createTakeUp({ id, store, clock, leaseMs, deadOwners });
  const unable = createUnable({ store, clock, log });
  const admission = createAdmission({
    store,
    clock,
    outlet,
    tenantMax: options.tenantMax ?? (() => undefined),
    hint: (hint) => (worker.freeSlots > 0 ? take(hint) : void offer(options, hint)),
  });
  const wakeups = createWakeups({ clock, horizonMs: options.horizonMs, wake: take, ring: takeDue });

  function take(hint: WorkHint): void {
    const { executionId } = hint;
    if (isStopped || unable.isResting(executionId)) return;
    const holding = holdings.get(executionId);
    if (holding) void holding.poke();
    else if (claiming.has(executionId)) again.set(executionId, { ...hint, handle: undefined });
    else if (claiming.size >= concurrency) backlog.put(hint, clock.now());
    else begin(hint);
  }

  function takeDue(hint: WorkHint): void {
    // On Firestore taking it a second time is a read or three, for every execution of a backlog and every second it is long.
    if (!claiming.has(hint.executionId) && !backlog.has(hint)) take(hint);
  }

  function begin(hint: WorkHint): void {
    const { executionId, tenant } = hint;
    claiming.add(executionId);
    busy.add(tenant, 1);
    void work(hint)
      .catch((error: unknown) => report(log, hint, error))
      .finally(() => {
        claiming.delete(executionId);
        busy.add(tenant, -1);
        const repeat = again.get(executionId);
        again.delete(executionId);
        if (repeat) take(repeat);
        beginNext();
      });
  }

  function beginNext(): void {
    while (claiming.size < concurrency && !isStopped) {
      const hint = backlog.next();
      if (!hint) break;
      begin(hint);
    }
    if (backlog.size < SHORT && onShort) {
      const tell = onShort;
      onShort = undefined;
      tell();
    }
    if (claiming.size > 0) return;
    for (const resolve of idleCallbacks) resolve();
    idleCallbacks = [];
  }

  async function work(hint: WorkHint): Promise<void> {
    const taken = await takeUp(hint);
    if (!taken) return;
    if ("resting" in taken) return schedule(taken.resting);
    const { claim } = taken;
    const workflow = await unable.unless(claim.handle, () => options.compiled(claim.draft));
    if (!workflow) return;
    const { definition } = workflow.plan;
    const needs = claim.absorbed.action === "run" ? await admission.needs(claim, definition) : [];
    const handle = needs.length > 0 ? await admission.admit(claim, needs) : claim.handle;
    if (needs.length === 0) return await run(claim, workflow);
    if (handle.execution.owner === null) return schedule(handle);
    // What was absorbed is written by now.
    const absorbed = { ...claim.absorbed, events: [], consumed: [], closed: [], reminded: [] };
    await run({ handle, draft: structuredClone(handle.execution), absorbed }, workflow);
  }

  async function run({ handle, draft, absorbed }: Claim, workflow: CompiledWorkflow): Promise<void> {
    const { definition } = workflow.plan;
    const session = sessionOf(options, { handle, draft }, { limits: definition.limits, prepare, holdings, outlet });
    const holding = holdExecution({ session, workflow, saver, store, isPoison: draft.idleClaims > MAX_IDLE_CLAIMS });
    sessions.set(session.key, session);
    holdings.set(session.id, holding);
    let settled: ExecutionHandle;
    try {
      settled = await holding.run(absorbed);
    } finally {
      sessions.delete(session.key);
      holdings.delete(session.id);
      if (holding.hasLeftovers) again.set(session.id, { tenant: draft.tenant, executionId: draft.id });
    }
    // Only now: what is due already is hinted at once, and must not be taken for mail of the holding that just ended.
    schedule(settled);
    const given = draft.permits === undefined ? (handle.execution.permits ?? []) : [];
    if (given.length > 0) await admission.freed(settled.execution, given, definition);
  }

  function schedule({ execution }: ExecutionHandle): void {
    if (execution.wakeAt !== null) wakeups.at(execution.wakeAt, { tenant: execution.tenant, executionId: execution.id });
  }

  function idle(): Promise<void> {
    return claiming.size === 0 ? Promise.resolve() : new Promise((resolve) => idleCallbacks.push(resolve));
  }

  const worker: Worker = {
    id,
    take,
    takeDue,
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
    whenShort(tell) {
      onShort = tell;
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
  return worker;
}

function report(log: WorkerOptions["log"], { executionId }: WorkHint, thrown: unknown): void {
  const error = toSignalboxError(thrown);
  // Somebody else was quicker, or the store is away: the sweeper comes back to it.
  const fields = {
    executionId,
    code: error.code,
    error: error.code === "INTERNAL" ? traceOf(thrown) : error.message,
  };
  log(error.code === "LEASE_LOST" ? "lease lost" : "execution left alone", fields);
}

interface SessionSetup {
  limits: Limits | undefined;
  prepare: Prepare;
  outlet: EventOutlet;
  holdings: ReadonlyMap<string, Holding>;
}

function sessionOf(
  options: WorkerOptions,
  { handle, draft }: Omit<Claim, "absorbed">,
  { limits, prepare, holdings, outlet }: SessionSetup,
): Session {
  const { store, clock, leaseMs, log } = options;
  return createSession({
    handle,
    draft,
    store,
    clock,
    leaseMs,
    modelsFor: (own, place) => options.modelsFor(own, place, limits),
    outside: {
      fetch: options.fetch,
      circuit: (breaker) => options.circuits.of(draft.tenant, breaker),
      traceparent: (place) => options.traceparent?.(draft.id, place),
    },
    childrenFor({ signal, traceparent }, place) {
      const from = { parent: draft, place, traceparent: traceparent(place) };
      return createChildren({ ...from, store, prepare, patience: { signal, clock } });
    },
    onOthers: (executions) => void Promise.all(executions.map(({ tenant, id: executionId }) => offer(options, { tenant, executionId }))),
    outlet,
    onFailure: () => holdings.get(draft.id)?.stop(),
    onWaiting: () => holdings.get(draft.id)?.lookBack(),
    onSuperstep: () => options.suspendAlways && holdings.get(draft.id)?.drain(),
    publicUrl: () => options.publicUrl?.(),
    log,
  });
}

async function offer({ queue, log }: WorkerOptions, hint: WorkHint): Promise<void> {
  try {
    await queue.enqueue(hint);
  } catch (error) {
    // What was written is durable: the sweeper finds it.
    report(log, hint, error);
  }
}
