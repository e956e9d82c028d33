import { readFile, writeFile } from "node:fs/promises";
import path from "node:path";
import { cloudMonitoringDashboard, grafanaDashboard } from "../deploy/monitoring/dashboards.ts";

const ROOT = path.join(import.meta.dirname, "..");

/** The two dashboards, projections of deploy/monitoring/panels.ts; `--check` only compares. */
const DASHBOARDS: readonly (readonly [file: string, make: () => object])[] = [
  ["deploy/monitoring/grafana.json", grafanaDashboard],
  ["deploy/monitoring/cloud-monitoring.json", cloudMonitoringDashboard],
];

const isCheck = process.argv.includes("--check");
for (const [file, make] of DASHBOARDS) {
  const target = path.join(ROOT, file);
  const wanted = `${JSON.stringify(make(), null, 2)}\n`;
  if ((await readFile(target, "utf8").catch(() => "")) === wanted) continue;
  if (isCheck) {
    console.error(`${file} does not fit deploy/monitoring/panels.ts; run npm run generate`);
    process.exitCode = 1;
  } else {
    await writeFile(target, wanted);
    console.log(`wrote ${file}`);
  }
}
