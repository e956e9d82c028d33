import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from "prom-client";

// From a trivial execution (2 ms) to an approval that waits for a week.
const EXECUTION_SECONDS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1_800, 3_600, 21_600, 86_400, 604_800];
const CALL_SECONDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const MODEL_SECONDS = [0.1, 0.25, 0.5, 1, 2, 4, 8, 15, 30, 60];
const TENTHS = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];

export type Metrics = ReturnType<typeof createMetrics>;

/**
 * The metrics of one process. Label values are closed sets, or go through `boundedLabel`: no tenant, no execution, no step id.
 * Dashboards and alerts (`deploy/monitoring`, `k8s/components/gke/alerts.yaml`) are tested against these names.
 */
export function createMetrics() {
  const registry = new Registry();
  const registers = [registry];
  collectDefaultMetrics({ register: registry, eventLoopMonitoringPrecision: 20 });
  const histogram = <T extends string>(name: string, help: string, labelNames: T[], buckets: number[]) =>
    new Histogram({ name, help, labelNames, buckets, registers });
  const counter = <T extends string>(name: string, help: string, labelNames: T[]) => new Counter({ name, help, labelNames, registers });
  const gauge = (name: string, help: string) => new Gauge({ name, help, registers });

  return {
    registry,
    executionTime: histogram(
      "workflow_execution_time",
      "Seconds from the start request to the end, by workflow and final status",
      ["workflow", "status"],
      EXECUTION_SECONDS,
    ),
    stepCompletion: counter("workflow_step_completion", "Step visits that ended, by step type and success", ["type", "success"]),
    stepTime: histogram("signalbox_step_seconds", "Seconds of step visits that ran without a wait, by step type", ["type"], CALL_SECONDS),
    executionsStarted: counter("signalbox_executions_started_total", "Executions accepted by this process, by trigger type", ["trigger"]),
    queueDepth: gauge("signalbox_queue_depth", "Hints this worker holds and has no slot for"),
    executionsRunning: gauge("signalbox_executions_running", "Executions this worker runs now"),
    workerSlots: gauge("signalbox_worker_slots", "Executions this worker may run at once"),
    executionsQueued: counter("signalbox_executions_queued_total", "Executions that had to wait in line for a limit, by its kind", [
      "limit",
    ]),
    claimLatency: histogram(
      "signalbox_claim_seconds",
      "Seconds an execution waited for a worker: from being startable to its claim",
      [],
      CALL_SECONDS.concat(30, 60, 300),
    ),
    leaseTakeovers: counter("signalbox_lease_takeovers_total", "Executions claimed from a worker that never gave them back", []),
    leasesLost: counter("signalbox_leases_lost_total", "Commits refused because another worker owns the execution", []),
    commitTime: histogram(
      "signalbox_commit_seconds",
      "Seconds until the store acknowledged a commit, by outcome",
      ["outcome"],
      CALL_SECONDS,
    ),
    decisions: counter("signalbox_decisions_total", "Recorded decisions, by source; none: nothing allowed was found", ["source"]),
    decisionConfidence: histogram("signalbox_decision_confidence", "Confidence of decisions a model made", [], TENTHS),
    decisionAttempts: counter("signalbox_decision_attempts_total", "Model answers inside decisions, by what became of them", ["outcome"]),
    modelCalls: counter("signalbox_model_calls_total", "Model calls that were answered, by model", ["model"]),
    modelTokens: counter("signalbox_model_tokens_total", "Tokens, by model and direction (in, out)", ["model", "direction"]),
    modelCost: counter("signalbox_model_cost_usd_total", "Cost of model calls in US dollars, by model", ["model"]),
    modelTime: histogram("signalbox_model_seconds", "Seconds until a model answered, by model", ["model"], MODEL_SECONDS),
    relayLag: histogram(
      "signalbox_relay_lag_seconds",
      "Seconds from an event of an execution until a sink took it, by sink",
      ["sink"],
      CALL_SECONDS.concat(30, 60, 300, 1_800),
    ),
    relayFailures: counter("signalbox_relay_failures_total", "Offers of events that a sink did not take, by sink", ["sink"]),
    webhookTries: counter("signalbox_webhook_tries_total", "Tries of webhook deliveries, by what became of them", ["outcome"]),
    httpTime: histogram(
      "signalbox_http_seconds",
      "Seconds of HTTP requests, by route, method and status",
      ["route", "method", "status"],
      CALL_SECONDS,
    ),
    circuitChanges: counter("signalbox_circuit_changes_total", "Circuit breakers that changed, by key or model and new state", [
      "circuit",
      "to",
    ]),
    circuitsOpen: gauge("signalbox_circuits_open", "Circuit breakers that let nobody through now, but for a probe"),
    eventsReceived: counter("signalbox_events_received_total", "Events taken in, by the way they came and what became of them", [
      "via",
      "outcome",
    ]),
    eventsParked: counter("signalbox_events_parked_total", "Messages that could not be taken as events, by error code", ["code"]),
    executionsWoken: counter("signalbox_executions_woken_total", "Waiting steps that events of the tenant were delivered to", []),
    sockets: gauge("signalbox_sockets", "Open WebSockets"),
  };
}
