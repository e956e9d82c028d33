import { expect, test } from "vitest";
import { parse } from "yaml";
import { cloudMonitoringDashboard, grafanaDashboard } from "../../../deploy/monitoring/dashboards.ts";
import { PANELS } from "../../../deploy/monitoring/panels.ts";
import { createMetrics } from "../../../src/telemetry/metrics.ts";
import { readText } from "../../repository/source.ts";
import { exportedSeries, queryFindings } from "./promql.ts";

interface Alert {
  alert: string;
  expr: string;
  labels: { severity: string };
  annotations: { summary: string; runbook: string };
}

const series = await exportedSeries(createMetrics().registry);
const { spec } = parse(readText("k8s/components/gke/alerts.yaml")) as { spec: { groups: { rules: Alert[] }[] } };
const alerts = spec.groups.flatMap(({ rules }) => rules);

test("every chart asks for metrics that the service exports, by labels they have", () => {
  const queries = PANELS.flatMap((panel) => panel.queries.map(({ expr }) => expr));
  expect(queries.flatMap((query) => queryFindings(query, series))).toEqual([]);
});

test.each([
  ["grafana.json", grafanaDashboard],
  ["cloud-monitoring.json", cloudMonitoringDashboard],
])("the checked-in %s is what the list of charts says", (file, make) => {
  expect(JSON.parse(readText(`deploy/monitoring/${file}`))).toEqual(make());
});

test("legends name labels that their query keeps", () => {
  for (const { legend, expr } of PANELS.flatMap(({ queries }) => queries)) {
    for (const [, label = ""] of legend.matchAll(/\{\{(\w+)\}\}/g)) expect(expr, legend).toMatch(new RegExp(`by \\([^)]*\\b${label}\\b`));
  }
});

test("every alert asks for metrics that the service exports, and has a runbook", () => {
  expect(alerts.length).toBeGreaterThan(10);
  expect(alerts.flatMap(({ expr }) => queryFindings(expr, series))).toEqual([]);
  const headings = [...readText("docs/operations.md").matchAll(/^#+ (.+)$/gm)].map(([, heading = ""]) =>
    heading.toLowerCase().replaceAll(" ", "-"),
  );
  for (const { alert, annotations, labels } of alerts) {
    expect(["warning", "critical"], alert).toContain(labels.severity);
    expect(annotations.runbook, alert).toBe(`docs/operations.md#${alert.toLowerCase()}`);
    expect(headings, alert).toContain(alert.toLowerCase());
  }
});

test("an autoscaler, a chart or an alert exists for each thing the service measures of itself", () => {
  const asked = [...alerts.map(({ expr }) => expr), ...PANELS.flatMap(({ queries }) => queries.map(({ expr }) => expr))].join("\n");
  const own = [...series.keys()]
    .filter((name) => /^(workflow|signalbox)_/.test(name))
    .map((name) => name.replace(/_(bucket|count|sum)$/, ""));
  const unused = [...new Set(own)].filter((name) => !asked.includes(name));
  // For dashboards of one's own: time per step type, and calls per model, which tokens and cost stand for.
  expect(unused).toEqual(["signalbox_step_seconds", "signalbox_model_calls_total"]);
});

test.each([
  ["sum(rate(workflow_execution_seconds_count[5m]))", /^METRIC workflow_execution_seconds_count/],
  ['sum(rate(workflow_step_completion{succes="false"}[5m]))', /^LABEL succes/],
  ["sum by (tenant) (signalbox_sockets)", /^LABEL tenant/],
  ["sum(rate(signalbox_sockets[5m])", /^SYNTAX/],
  ["1 + 1", /^EMPTY/],
])("a seeded mistake is named: %s", (query, finding) => {
  expect(queryFindings(query, series)).toEqual(expect.arrayContaining([expect.stringMatching(finding)]));
});
