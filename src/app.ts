import { randomUUID } from "node:crypto";
import { hostname } from "node:os";
import type { FastifyInstance } from "fastify";
import { isCloudTrace, openCloudTraceExporter } from "./adapters/google-cloud/span-exporter.ts";
import { openEventFeed } from "./adapters/open-event-feed.ts";
import { openEventTopic } from "./adapters/open-event-topic.ts";
import { openQueue } from "./adapters/open-queue.ts";
import { openStore, type OpenStoreOptions } from "./adapters/open.ts";
import { createModels, type ModelsOptions } from "./ai/models.ts";
import { readinessOf } from "./api/health.ts";
import { createServer } from "./api/server.ts";
import { tenantBounds } from "./config/tenants.ts";
import { environmentSecret, type Config } from "./config.ts";
import { createCircuits } from "./executor/circuits.ts";
import { createEvents, type Events } from "./events/events.ts";
import { createCompiled } from "./executor/compiled.ts";
import { createExecutor } from "./executor/create-executor.ts";
import type { Executor } from "./executor/executor.ts";
import { createModelCalls } from "./executor/model-calls.ts";
import { SessionSaver } from "./executor/session-saver.ts";
import type { Session } from "./executor/session.ts";
import { startSweeper, type Sweeper } from "./executor/sweeper.ts";
import { createTokenHub } from "./executor/tokens.ts";
import { createWorker, type Worker } from "./executor/worker.ts";
import { notFound } from "./errors.ts";
import { createLogger, type Logger } from "./log.ts";
import { secretsOf } from "./config/secrets.ts";
import { systemClock, type Clock } from "./ports/clock.ts";
import { createSharedClock } from "./ports/shared-clock.ts";
import type { ConsumeOptions } from "./ports/queue.ts";
import type { Store } from "./ports/store.ts";
import { createRelay, type RelayOptions } from "./relay/relay.ts";
import type { EventSink } from "./relay/sink.ts";
import { topicSink } from "./relay/topic.sink.ts";
import { createOutbound } from "./outbound/outbound.ts";
import { noteSecrets } from "./outbound/secrets.ts";
import { loadActions, loadStepTypes, loadTools } from "./registry.ts";
import { createTools } from "./tools/tools.ts";
import { circuitObserver } from "./telemetry/circuits.ts";
import { sampleWorker } from "./telemetry/commit-metrics.ts";
import type { Metrics } from "./telemetry/metrics.ts";
import { observedStore } from "./telemetry/observed-store.ts";
import { eventMetrics } from "./telemetry/event-metrics.ts";
import { watchLoop } from "./telemetry/loop-watch.ts";
import { startTelemetry } from "./telemetry/telemetry.ts";
import type { TracingOptions } from "./telemetry/tracing.ts";
import { createTriggerManager, type TriggerManager } from "./triggers/manager.ts";
import { completionSink, publishedSink } from "./triggers/relay-sinks.ts";
import { startScheduler } from "./triggers/scheduler.ts";
import { createSecretReader } from "./triggers/secret-reader.ts";
import { loadTriggerTypes } from "./triggers/trigger-types.ts";
import { createWebhooks, type Webhooks } from "./webhooks/webhooks.ts";
import { createWorkflowManager, type WorkflowManager } from "./workflows/manager.ts";

export interface App extends AsyncDisposable {
  config: Config;
  server: FastifyInstance;
  executor: Executor;
  workflows: WorkflowManager;
  triggers: TriggerManager;
  webhooks: Webhooks;
  events: Events;
  store: Store;
  /** Undefined in the role `api`. */
  worker: Worker | undefined;
  sweeper: Sweeper | undefined;
  logger: Logger;
  /** Ends everything in order: no new work, steps to a checkpoint, sockets, store. */
  close(): Promise<void>;
}

export interface AppOptions {
  config: Config;
  clock?: Clock;
  /** Programs of `scripted:<name>` models and prices, for tests and for operators who embed the service. */
  models?: Pick<ModelsOptions, "scripts" | "prices">;
}

/** The composition root: the only place that names drivers and wires everything. Opens the store; does not listen yet. */
export async function createApp({ config, clock: machineClock = systemClock, models: modelOptions }: AppOptions): Promise<App> {
  const secrets = secretsOf(config);
  const logger = createLogger({ level: config.SIGNALBOX_LOG, secrets, project: projectOf(config) });
  // A line that tells of an error is one somebody looks for.
  const log = (message: string, fields: Record<string, unknown>) => logger["error" in fields ? "warn" : "info"](fields, message);
  const clock = createSharedClock(machineClock, (aheadMs) =>
    logger.warn({ aheadMs }, "this machine's clock is not the store's: the store's is gone by"),
  );
  // Names the process in leases: readable for operators, unique over restarts and pods.
  const workerId = `${hostname()}-${process.pid}-${randomUUID().slice(0, 8)}`;
  const readSecret = noteSecrets(createSecretReader({ folder: config.SIGNALBOX_SECRETS, environment: environmentSecret }), secrets);
  const outbound = createOutbound({ allow: config.SIGNALBOX_EGRESS_ALLOW, readSecret, clock });
  const folder = config.SIGNALBOX_STEPS;
  const actions = await loadActions({ folder });
  const tools = createTools({ actions, own: await loadTools({ folder }), mcp: config.SIGNALBOX_MCP, outbound, readSecret });
  const stepTypes = await loadStepTypes({ folder, services: { actions, tools } });
  const triggerTypes = await loadTriggerTypes({ folder: config.SIGNALBOX_STEPS });
  const telemetry = await startTelemetry({ log: logger, tracing: tracingOf(config, workerId) });
  const opened = await openConfiguredStore(config, { ownerId: workerId, clock, onTime: clock.observe });
  const store = observedStore(opened, { observers: telemetry.observers, clock });
  const broker = { prefix: config.SIGNALBOX_PUBSUB_PREFIX, create: config.SIGNALBOX_PUBSUB_CREATE, clock, log };
  const queue = await openQueue(config.SIGNALBOX_QUEUE, broker).catch(async (error: unknown) => {
    await store.close();
    throw error;
  });
  /** Ends what is open after a start that cannot go on, so that the process can end. */
  async function giveUp(error: unknown): Promise<never> {
    await queue.close();
    await store.close();
    throw error;
  }
  const tokens = createTokenHub();
  const onCircuit = circuitObserver(telemetry.metrics, log);
  const models = createModels({
    default: config.SIGNALBOX_MODEL,
    openai: { apiKey: config.OPENAI_API_KEY, baseUrl: config.OPENAI_BASE_URL },
    clock,
    onCircuit,
    ...modelOptions,
  });
  const topic = await openEventTopic(config.SIGNALBOX_EVENTS_OUT, broker).catch(giveUp);
  const { metrics, traceparent } = telemetry;
  const sinks: EventSink[] = topic ? [topicSink({ topic, types: config.SIGNALBOX_EVENTS_OUT_TYPES, traceparent })] : [];
  const relay = createRelay({ store, sinks, clock, log, ...relaySettings(config, metrics) });
  const bounds = tenantBounds(config.SIGNALBOX_TENANT_LIMITS);
  const executor = createExecutor({ store, queue, clock, tokens, outlet: relay, ...bounds });
  const triggers = createTriggerManager({ store, executor, types: triggerTypes, clock, readSecret });
  const events = createEvents({
    store,
    queue,
    triggers,
    clock,
    keepMs: config.SIGNALBOX_EVENT_RETENTION,
    keepParkedMs: config.SIGNALBOX_PARKED_RETENTION,
    maxBytes: config.SIGNALBOX_BODY_LIMIT,
    observer: eventMetrics(metrics, log),
  });
  const keys = config.SIGNALBOX_WEBHOOK_KEYS;
  const webhooks = createWebhooks({ store: store.webhooks, clock, fetch: outbound.request, readSecret, keys, traceparent });
  sinks.push(webhooks.sink, completionSink({ triggers, traceparent, log }));
  sinks.push(publishedSink({ publish: (tenant, event) => events.ingest.take(tenant, event, { via: "step" }), traceparent, log }));
  const workflows = createWorkflowManager({ store, stepTypes, triggerTypes, writes: triggers.writes, clock });

  const sessions = new Map<string, Session>();
  const saver = new SessionSaver(store.checkpointer, sessions);
  const hostOf = (key: string) => {
    const session = sessions.get(key);
    if (!session) throw notFound("session", key);
    return session;
  };
  const compiled = createCompiled({ store, stepTypes, saver, hostOf });
  const worker =
    config.SIGNALBOX_ROLE === "api"
      ? undefined
      : createWorker({
          id: workerId,
          store,
          clock,
          queue,
          sessions,
          saver,
          concurrency: config.SIGNALBOX_CONCURRENCY,
          leaseMs: config.SIGNALBOX_LEASE_MS,
          horizonMs: config.SIGNALBOX_SWEEP_MS * 2,
          tenantMax: bounds.tenantMax,
          compiled,
          fetch: outbound.request,
          publicUrl: () => config.SIGNALBOX_PUBLIC_URL ?? (config.SIGNALBOX_ROLE === "worker" ? undefined : addressOf(server)),
          circuits: createCircuits({ clock, onChange: onCircuit }),
          traceparent: telemetry.traceparent,
          outlet: relay,
          modelsFor: (session, place, limits) => createModelCalls({ session, place, models, tokens, limits }),
          log,
        });
  const stopConsuming = worker ? await queue.consume(worker.take, slotsOf(worker, config)).catch(giveUp) : undefined;
  const feed = worker ? await openEventFeed(config.SIGNALBOX_EVENTS, broker).catch(giveUp) : undefined;
  const stopEvents = await feed
    ?.consume((message) => events.handleMessage(config.SIGNALBOX_EVENTS_TENANT, message, "pubsub"), {
      freeSlots: () => worker?.freeSlots ?? 0,
    })
    .catch(giveUp);
  const sweeper = worker ? startSweeper({ store, worker, clock, everyMs: config.SIGNALBOX_SWEEP_MS, log }) : undefined;
  const scheduler = worker
    ? startScheduler({ store, executor, types: triggerTypes, clock, everyMs: config.SIGNALBOX_SWEEP_MS, log })
    : undefined;
  const deliverer = worker ? webhooks.start({ log, ...webhookSettings(config, metrics) }) : undefined;
  let isDraining = false;
  const loop = watchLoop({ clock, limitMs: config.SIGNALBOX_READY_LAG_MS });
  const server = await createServer({
    executor,
    workflows,
    triggers,
    events,
    webhooks,
    store,
    stepTypes,
    config,
    clock,
    readiness: () => readinessOf({ isDraining, lateMs: loop.lateMs() }),
    logger,
    metrics: { metrics, sample: () => sampleWorker(metrics, isDraining ? undefined : worker, config.SIGNALBOX_CONCURRENCY) },
  });

  let closing: Promise<void> | undefined;
  async function closeAll(): Promise<void> {
    isDraining = true;
    sweeper?.stop();
    // Live clients are told to go on elsewhere, while steps here still reach their checkpoint. A worker that drains has no free slots.
    const drained = worker?.drain(config.SIGNALBOX_DRAIN_MS);
    const closed = closeServer(server, config.SIGNALBOX_LINGER_MS, clock);
    await Promise.all([drained, closed, scheduler?.stop(), stopConsuming?.(), stopEvents?.()]);
    await Promise.all([relay.stop(), deliverer?.stop()]);
    await Promise.all([queue.close(), feed?.close(), topic?.close()]);
    await tools.close();
    await outbound[Symbol.asyncDispose]();
    await telemetry.close();
    loop.stop();
    await store.close();
  }
  const close = () => (closing ??= closeAll());
  return {
    config,
    server,
    executor,
    workflows,
    triggers,
    webhooks,
    events,
    store,
    worker,
    sweeper,
    logger,
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** What serves the API is loaded meanwhile: the store's own thread takes 0.2 s to start. */
async function openConfiguredStore({ SIGNALBOX_STORE, SIGNALBOX_ROLE }: Config, options: OpenStoreOptions): Promise<Store> {
  const loading = SIGNALBOX_ROLE === "worker" ? undefined : import("./api/surfaces.ts");
  const [store] = await Promise.all([openStore(SIGNALBOX_STORE, options), loading]);
  return store;
}

function slotsOf(worker: Worker, { SIGNALBOX_CONCURRENCY: all }: Config): ConsumeOptions {
  // Half busy, it lets others share what begins here.
  return { freeSlots: () => worker.freeSlots, keepsOwn: () => worker.freeSlots > all / 2 };
}

function relaySettings(config: Config, metrics: Metrics): Pick<RelayOptions, "handsOn" | "everyMs" | "observer"> {
  const observer: RelayOptions["observer"] = {
    taken: (sink, seconds) => metrics.relayLag.observe({ sink }, seconds),
    failed: (sink) => metrics.relayFailures.inc({ sink }),
  };
  return { handsOn: config.SIGNALBOX_ROLE !== "api", everyMs: config.SIGNALBOX_SWEEP_MS * 5, observer };
}

function webhookSettings(config: Config, metrics: Metrics): Omit<Parameters<Webhooks["start"]>[0], "log"> {
  return {
    everyMs: config.SIGNALBOX_SWEEP_MS,
    maxTries: config.SIGNALBOX_WEBHOOK_TRIES,
    disableAfterMs: config.SIGNALBOX_WEBHOOK_DISABLE_AFTER,
    onAttempt: (outcome) => metrics.webhookTries.inc({ outcome }),
  };
}

/** Where a server on this machine is reached; undefined before it listens. */
function addressOf({ server }: FastifyInstance): string | undefined {
  const address = server.address();
  if (address === null || typeof address === "string") return undefined;
  return `http://${address.family === "IPv6" ? `[${address.address}]` : address.address}:${address.port}`;
}

function tracingOf(config: Config, instance: string): TracingOptions | undefined {
  const { OTEL_EXPORTER_OTLP_ENDPOINT: endpoint, OTEL_SERVICE_NAME: serviceName, OTEL_TRACES_SAMPLER_ARG: ratio } = config;
  if (endpoint === undefined) return undefined;
  const openExporter = isCloudTrace(endpoint) ? () => openCloudTraceExporter(endpoint) : undefined;
  return { serviceName, instance, ratio, project: projectOf(config), openExporter };
}

function projectOf({ GOOGLE_CLOUD_PROJECT, SIGNALBOX_STORE }: Config): string | undefined {
  return GOOGLE_CLOUD_PROJECT ?? /^firestore:([^/]+)/.exec(SIGNALBOX_STORE)?.[1];
}

/** Load balancers send requests until they have seen that readiness is red: those are served like any other. */
async function closeServer(server: FastifyInstance, lingerMs: number, clock: Clock): Promise<void> {
  if (lingerMs > 0) await new Promise<void>((resolve) => clock.after(lingerMs, resolve));
  await server.close();
}
