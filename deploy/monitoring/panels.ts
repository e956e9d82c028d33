/** One chart: a line per query, in both dashboards. */
export interface Panel {
  title: string;
  description: string;
  /** Unit as Grafana names it. */
  unit: "s" | "short" | "ops" | "percentunit" | "currencyUSD" | "bytes";
  queries: readonly { legend: string; expr: string }[];
}

const quantiles = (metric: string): Panel["queries"] =>
  [0.5, 0.95, 0.99].map((quantile) => ({
    legend: `p${quantile * 100}`,
    expr: `histogram_quantile(${quantile}, sum by (le) (rate(${metric}_bucket[5m])))`,
  }));

/** What an operator looks at first stands first. Both dashboards are generated from this list. */
export const PANELS: readonly Panel[] = [
  {
    title: "Executions that ended",
    description: "Per second, by final status.",
    unit: "ops",
    queries: [{ legend: "{{status}}", expr: "sum by (status) (rate(workflow_execution_time_count[5m]))" }],
  },
  { title: "Execution time", description: "From the start request to the end.", unit: "s", queries: quantiles("workflow_execution_time") },
  {
    title: "Waiting for a worker",
    description: "From being startable to the claim.",
    unit: "s",
    queries: quantiles("signalbox_claim_seconds"),
  },
  {
    title: "Slots",
    description: "Executions that run, hints without a slot, and slots of all workers.",
    unit: "short",
    queries: [
      { legend: "running", expr: "sum(signalbox_executions_running)" },
      { legend: "queued", expr: "sum(signalbox_queue_depth)" },
      { legend: "slots", expr: "sum(signalbox_worker_slots)" },
    ],
  },
  {
    title: "Waiting for a limit",
    description: "Executions per minute that had to wait in line, by the kind of limit.",
    unit: "short",
    queries: [{ legend: "{{limit}}", expr: "sum by (limit) (rate(signalbox_executions_queued_total[5m])) * 60" }],
  },
  {
    title: "Failed step visits",
    description: "Share of visits that failed, by step type.",
    unit: "percentunit",
    queries: [
      {
        legend: "{{type}}",
        expr: 'sum by (type) (rate(workflow_step_completion{success="false"}[5m])) / sum by (type) (rate(workflow_step_completion[5m]))',
      },
    ],
  },
  {
    title: "Starts",
    description: "Executions accepted per second, by trigger.",
    unit: "ops",
    queries: [{ legend: "{{trigger}}", expr: "sum by (trigger) (rate(signalbox_executions_started_total[5m]))" }],
  },
  {
    title: "Events",
    description: "Taken in per second by what became of them, and steps they woke.",
    unit: "ops",
    queries: [
      { legend: "{{outcome}}", expr: "sum by (outcome) (rate(signalbox_events_received_total[5m]))" },
      { legend: "woken", expr: "sum(rate(signalbox_executions_woken_total[5m]))" },
    ],
  },
  {
    title: "Parked events",
    description: "Messages per hour that could not be taken, by error code.",
    unit: "short",
    queries: [{ legend: "{{code}}", expr: "sum by (code) (increase(signalbox_events_parked_total[1h]))" }],
  },
  {
    title: "Circuit breakers",
    description: "Open now, and changes per hour by circuit.",
    unit: "short",
    queries: [
      { legend: "open", expr: "sum(signalbox_circuits_open)" },
      { legend: "{{circuit}}", expr: 'sum by (circuit) (increase(signalbox_circuit_changes_total{to="open"}[1h]))' },
    ],
  },
  { title: "Commits", description: "Until the store acknowledged.", unit: "s", queries: quantiles("signalbox_commit_seconds") },
  {
    title: "Leases",
    description: "Executions taken over from dead workers, and commits refused to workers that were silent too long; per minute.",
    unit: "short",
    queries: [
      { legend: "taken over", expr: "sum(rate(signalbox_lease_takeovers_total[5m])) * 60" },
      { legend: "lost", expr: "sum(rate(signalbox_leases_lost_total[5m])) * 60" },
    ],
  },
  {
    title: "Decisions",
    description: "Per second, by where the choice came from.",
    unit: "ops",
    queries: [{ legend: "{{source}}", expr: "sum by (source) (rate(signalbox_decisions_total[5m]))" }],
  },
  {
    title: "Decision confidence",
    description: "Of decisions a model made; a falling median means that the workflow or the model changed.",
    unit: "percentunit",
    queries: quantiles("signalbox_decision_confidence").slice(0, 1),
  },
  {
    title: "Model tokens",
    description: "Per second, by model and direction.",
    unit: "ops",
    queries: [{ legend: "{{model}} {{direction}}", expr: "sum by (model, direction) (rate(signalbox_model_tokens_total[5m]))" }],
  },
  {
    title: "Model cost per hour",
    description: "US dollars, by model.",
    unit: "currencyUSD",
    queries: [{ legend: "{{model}}", expr: "sum by (model) (rate(signalbox_model_cost_usd_total[5m])) * 3600" }],
  },
  { title: "Model answers", description: "Seconds until a model answered.", unit: "s", queries: quantiles("signalbox_model_seconds") },
  {
    title: "Events out",
    description: "Seconds from an event of an execution until a sink took it; rises while a sink is away, and executions go on.",
    unit: "s",
    queries: quantiles("signalbox_relay_lag_seconds"),
  },
  {
    title: "Events not taken",
    description: "Offers per second that a sink refused or did not answer; they are made again.",
    unit: "ops",
    queries: [{ legend: "{{sink}}", expr: "sum by (sink) (rate(signalbox_relay_failures_total[5m]))" }],
  },
  {
    title: "Webhooks",
    description: "Tries of deliveries per second, by what became of them.",
    unit: "ops",
    queries: [{ legend: "{{outcome}}", expr: "sum by (outcome) (rate(signalbox_webhook_tries_total[5m]))" }],
  },
  { title: "HTTP requests", description: "Seconds per request.", unit: "s", queries: quantiles("signalbox_http_seconds") },
  {
    title: "HTTP answers",
    description: "Per second, by status.",
    unit: "ops",
    queries: [{ legend: "{{status}}", expr: "sum by (status) (rate(signalbox_http_seconds_count[5m]))" }],
  },
  {
    title: "WebSockets",
    description: "Open now, by pod.",
    unit: "short",
    queries: [{ legend: "{{pod}}", expr: "sum by (pod) (signalbox_sockets)" }],
  },
  {
    title: "Event-loop lag",
    description: "99th percentile by pod; above a third of the lease, workers lose executions.",
    unit: "s",
    queries: [{ legend: "{{pod}}", expr: "max by (pod) (nodejs_eventloop_lag_p99_seconds)" }],
  },
  {
    title: "Memory",
    description: "Resident, by pod.",
    unit: "bytes",
    queries: [{ legend: "{{pod}}", expr: "max by (pod) (process_resident_memory_bytes)" }],
  },
];
