import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cloudMonitoringDashboard, grafanaDashboard } from "./dashboards.ts";

/** The two dashboards, projections of panels.ts. */
export const DASHBOARDS: readonly (readonly [file: string, make: () => object])[] = [
  ["grafana.json", grafanaDashboard],
  ["cloud-monitoring.json", cloudMonitoringDashboard],
];

if (import.meta.main) {
  for (const [file, make] of DASHBOARDS) {
    const path = join(import.meta.dirname, file);
    const wanted = `${JSON.stringify(make(), null, 2)}\n`;
    if ((await readFile(path, "utf8").catch(() => "")) === wanted) continue;
    await writeFile(path, wanted);
    console.log(`wrote deploy/monitoring/${file}`);
  }
}
