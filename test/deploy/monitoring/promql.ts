import { parser } from "@prometheus-io/lezer-promql";
import type { Registry } from "prom-client";

/** Added to every sample by the collector (k8s/components/gke/monitoring.yaml), or by the query itself. */
const TARGET_LABELS = ["pod", "container", "component", "le", "namespace", "cluster", "location"];

/** Every series a registry exports, with the labels of its metric. */
export async function exportedSeries(registry: Registry): Promise<Map<string, string[]>> {
  const series = new Map<string, string[]>();
  for (const { name, type } of await registry.getMetricsAsJSON()) {
    const metric = registry.getSingleMetric(name) as unknown as { labelNames?: string[] };
    const labels = metric.labelNames ?? [];
    const names = String(type) === "histogram" ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name];
    for (const each of names) series.set(each, labels);
  }
  return series;
}

/** What is wrong with a query: it does not parse, or names a series or label that nobody exports. */
export function queryFindings(query: string, series: ReadonlyMap<string, string[]>): string[] {
  const findings: string[] = [];
  const metrics: string[] = [];
  const labels: string[] = [];
  parser.parse(query).iterate({
    enter({ type, from, to, node }) {
      const text = query.slice(from, to);
      if (type.isError) findings.push(`SYNTAX at ${from}: ${query}`);
      if (type.name === "VectorSelector") metrics.push(query.slice(from, node.firstChild?.to ?? to));
      if (type.name === "LabelName") labels.push(text);
    },
  });
  for (const metric of metrics) if (!series.has(metric)) findings.push(`METRIC ${metric}: nobody exports it`);
  const known = [...TARGET_LABELS, ...metrics.flatMap((metric) => series.get(metric) ?? [])];
  for (const label of labels) if (!known.includes(label)) findings.push(`LABEL ${label}: ${metrics.join()} has none`);
  if (metrics.length === 0) findings.push(`EMPTY: ${query}`);
  return findings;
}
