import { test } from "vitest";
import type { z } from "zod";
import { createLocalQueue } from "../../src/adapters/local/queue.ts";
import { openStore } from "../../src/adapters/open.ts";
import { createModels, type ModelsOptions } from "../../src/ai/models.ts";
import { LOCAL_PRINCIPAL } from "../../src/definition/access.ts";
import type { ExecutionEvent } from "../../src/definition/event.ts";
import type { Execution } from "../../src/definition/execution.ts";
import type { JsonObject } from "../../src/definition/json.ts";
import { WorkflowInput } from "../../src/definition/workflow.ts";
import { createCircuits } from "../../src/executor/circuits.ts";
import { createCompiled } from "../../src/executor/compiled.ts";
import { createExecutor } from "../../src/executor/create-executor.ts";
import type { Executor, StartRequest } from "../../src/executor/executor.ts";
import { createModelCalls } from "../../src/executor/model-calls.ts";
import { SessionSaver } from "../../src/executor/session-saver.ts";
import type { Session } from "../../src/executor/session.ts";
import { createTokenHub } from "../../src/executor/tokens.ts";
import { createWorker, type Worker } from "../../src/executor/worker.ts";
import { createOutbound, type OutboundOptions } from "../../src/outbound/outbound.ts";
import { systemClock, type Clock } from "../../src/ports/clock.ts";
import { createRelay, type Relay } from "../../src/relay/relay.ts";
import type { EventSink } from "../../src/relay/sink.ts";
import type { Store } from "../../src/ports/store.ts";
import { createStepTypes, loadActions, loadStepTypes, type StepTypes } from "../../src/registry.ts";
import type { StepServices, StepType } from "../../src/steps/step.ts";
import { traceparentOf } from "../../src/telemetry/trace-ids.ts";
import { createTools } from "../../src/tools/tools.ts";
import { createWorkflowManager, type WorkflowManager } from "../../src/workflows/manager.ts";

/** Set by the vitest project that drops every execution from memory after each superstep. */
const SUSPENDS_ALWAYS = process.env["SIGNALBOX_TEST_SUSPEND"] === "always";

const { skip } = test;

/** For what is about an execution that stays in memory: its pace, its exact events, its lease. */
export const testInMemory = SUSPENDS_ALWAYS ? skip : test;

export interface Engine extends AsyncDisposable {
  store: Store;
  executor: Executor;
  workflows: WorkflowManager;
  worker: Worker;
  /** Hands on to `sinks`; nobody listens unless some are given. */
  relay: Relay;
  /** A further worker on the same store, as another process would be. */
  addWorker(id: string): Worker;
  define(definition: z.input<typeof WorkflowInput>): Promise<string>;
  start(workflowId: string, input?: JsonObject, more?: Partial<StartRequest>): Promise<Execution>;
  /** Starts and waits until it ended or waits for somebody. */
  run(workflowId: string, input?: JsonObject, more?: Partial<StartRequest>): Promise<Execution>;
  /** Waits until it ended or rests. */
  settled(id: string): Promise<Execution>;
  events(id: string): Promise<ExecutionEvent[]>;
}

export interface EngineOptions {
  clock?: Clock;
  /** Step types beside the real ones. */
  stepTypes?: readonly StepType[];
  /** Instead of what is in the service's own folders. */
  services?: Partial<StepServices>;
  models?: ModelsOptions;
  /** Where requests of steps may go, and where names are resolved. */
  outbound?: OutboundOptions;
  store?: Store;
  /** False: nothing takes hints, executions stay PENDING until `worker.take`. */
  consume?: boolean;
  leaseMs?: number;
  /** Who hears of events. */
  sinks?: readonly EventSink[];
  /** Most executions of a tenant at once. */
  tenantMax?: number;
  startsPerSecond?: number;
  /** Executions a worker runs at once. */
  concurrency?: number;
}

/** The real executor on a real in-memory store, without HTTP. */
export async function createEngine(options: EngineOptions = {}): Promise<Engine> {
  const { clock = systemClock, leaseMs = 15_000 } = options;
  const store = options.store ?? (await openStore("sqlite::memory:", { ownerId: "worker-1", clock }));
  const stepTypes = await withReal(options);
  const queue = createLocalQueue();
  const tokens = createTokenHub();
  const models = createModels({ clock, ...options.models });
  const outbound = createOutbound({ clock, ...options.outbound });
  const circuits = createCircuits({ clock });
  const relay = createRelay({ store, sinks: options.sinks ?? [], clock, handsOn: true, everyMs: 5_000, log: () => {} });
  const executor = createExecutor({
    store,
    queue,
    clock,
    tokens,
    outlet: relay,
    tenantMax: () => options.tenantMax,
    startsPerSecond: () => options.startsPerSecond,
  });
  const workflows = createWorkflowManager({ store, stepTypes, clock });
  const workers: Worker[] = [];

  function addWorker(id: string): Worker {
    const sessions = new Map<string, Session>();
    const saver = new SessionSaver(store.checkpointer, sessions);
    const hostOf = (key: string) => {
      const session = sessions.get(key);
      if (!session) throw new Error(`no session ${key}`);
      return session;
    };
    const added = createWorker({
      id,
      store,
      clock,
      queue,
      sessions,
      saver,
      concurrency: options.concurrency ?? 64,
      tenantMax: () => options.tenantMax,
      leaseMs,
      suspendAlways: SUSPENDS_ALWAYS,
      horizonMs: 24 * 3_600_000,
      compiled: createCompiled({ store, stepTypes, saver, hostOf }),
      fetch: outbound.request,
      publicUrl: () => "http://signalbox.test",
      circuits,
      traceparent: (executionId, place) => traceparentOf(executionId, place, () => true),
      outlet: relay,
      modelsFor: (session, place, limits) => createModelCalls({ session, place, models, tokens, limits }),
      log: () => {},
    });
    workers.push(added);
    return added;
  }

  const worker = addWorker("worker-1");
  if (options.consume !== false) await queue.consume(worker.take);
  const { tenant } = LOCAL_PRINCIPAL;

  async function start(workflowId: string, input: JsonObject = {}, more: Partial<StartRequest> = {}): Promise<Execution> {
    return (await executor.start(LOCAL_PRINCIPAL, { workflowId, input, ...more })).execution;
  }
  const settled = (id: string) => executor.waitForEnd(tenant, id, { timeoutMs: 10_000 });
  return {
    store,
    executor,
    workflows,
    worker,
    relay,
    addWorker,
    async define(definition) {
      return (await workflows.create(LOCAL_PRINCIPAL, WorkflowInput.parse(definition))).id;
    },
    start,
    settled,
    async run(workflowId, input, more) {
      return await settled((await start(workflowId, input, more)).id);
    },
    events: (id) => executor.events(tenant, id, { afterSeq: 0, limit: 1_000 }),
    async [Symbol.asyncDispose]() {
      for (const each of workers) await each.drain(100);
      await relay.stop();
      await queue.close();
      await outbound[Symbol.asyncDispose]();
      await store.close();
    },
  };
}

async function withServices({ actions: given, tools }: Partial<StepServices>): Promise<StepServices> {
  const actions = given ?? (await loadActions());
  return { actions, tools: tools ?? createTools({ actions }) };
}

let real: Promise<StepTypes> | undefined;

async function withReal({ stepTypes: own = [], services }: EngineOptions): Promise<StepTypes> {
  real ??= loadStepTypes();
  const loaded = services ? loadStepTypes({ services: await withServices(services) }) : real;
  const all = [...(await loaded).list(), ...own];
  return createStepTypes(all.map((stepType) => ({ stepType, file: `${stepType.type}.step.ts` })));
}
