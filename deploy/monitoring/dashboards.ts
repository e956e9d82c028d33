import { PANELS, type Panel } from "./panels.ts";

const TITLE = "Signalbox";
const COLUMNS = 3;

/** The dashboard as Grafana imports it; it asks for a Prometheus data source. */
export function grafanaDashboard(): object {
  const width = 24 / COLUMNS;
  const height = 8;
  return {
    title: TITLE,
    uid: "signalbox",
    tags: ["signalbox"],
    schemaVersion: 39,
    editable: true,
    refresh: "30s",
    time: { from: "now-3h", to: "now" },
    templating: {
      list: [{ name: "datasource", label: "Data source", type: "datasource", query: "prometheus", current: {}, hide: 0 }],
    },
    panels: PANELS.map((panel, index) => ({
      id: index + 1,
      type: "timeseries",
      title: panel.title,
      description: panel.description,
      datasource: { type: "prometheus", uid: "${datasource}" },
      gridPos: { x: (index % COLUMNS) * width, y: Math.floor(index / COLUMNS) * height, w: width, h: height },
      fieldConfig: { defaults: { unit: panel.unit, min: 0, custom: { fillOpacity: 8, lineWidth: 1 } }, overrides: [] },
      options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
      targets: panel.queries.map(({ expr, legend }, query) => ({ refId: String.fromCodePoint(65 + query), expr, legendFormat: legend })),
    })),
  };
}

/** The dashboard as `gcloud monitoring dashboards create --config-from-file` takes it. */
export function cloudMonitoringDashboard(): object {
  const width = 48 / COLUMNS;
  const height = 16;
  return {
    displayName: TITLE,
    mosaicLayout: {
      columns: 48,
      tiles: PANELS.map((panel, index) => ({
        xPos: (index % COLUMNS) * width,
        yPos: Math.floor(index / COLUMNS) * height,
        width,
        height,
        widget: {
          title: panel.title,
          xyChart: { dataSets: panel.queries.map((query) => dataSet(panel, query)), yAxis: { scale: "LINEAR" } },
        },
      })),
    },
  };
}

function dataSet({ unit }: Panel, { expr, legend }: Panel["queries"][number]): object {
  return {
    plotType: "LINE",
    targetAxis: "Y1",
    legendTemplate: legend.replace(/\{\{(\w+)\}\}/g, "$${labels.metric.$1}"),
    timeSeriesQuery: { prometheusQuery: expr, unitOverride: UNITS[unit] },
  };
}

/** Grafana's names of units, as Cloud Monitoring (UCUM) writes them. */
const UNITS: Record<Panel["unit"], string> = { s: "s", short: "1", ops: "1/s", percentunit: "10^2.%", currencyUSD: "{USD}", bytes: "By" };
