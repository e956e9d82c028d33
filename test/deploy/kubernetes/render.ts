import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { ROOT } from "../../repository/source.ts";

/** A Kubernetes object as kustomize prints it. */
export interface Manifest {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace?: string; labels?: Record<string, string>; annotations?: Record<string, string> };
  [field: string]: unknown;
}

export const OVERLAYS = ["local", "staging", "production"] as const;
export type Overlay = (typeof OVERLAYS)[number];

/** Whether kustomize can run here. In CI it must. */
export function hasKubectl(): boolean {
  try {
    execFileSync("kubectl", ["version", "--client"], { stdio: "ignore" });
    return true;
  } catch {
    if (process.env.CI) throw new Error("The manifests must be checked in CI: kubectl is not on the PATH.");
    console.log("Manifest tests are skipped: kubectl is not on the PATH.");
    return false;
  }
}

/** Everything an overlay would apply. */
export function render(overlay: Overlay): Manifest[] {
  const text = execFileSync("kubectl", ["kustomize", join(ROOT, "k8s", "overlays", overlay)], {
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  // kustomize writes objects with these fields or fails.
  const manifests = parseAllDocuments(text).map((document) => document.toJS() as Manifest);
  for (const { kind, data } of manifests as (Manifest & { data?: Record<string, string> })[]) {
    // kustomize folds long values; the API server's decoder skips the line breaks.
    if (kind === "Secret" && data) for (const [key, value] of Object.entries(data)) data[key] = value.replace(/\s/g, "");
  }
  return manifests;
}

export function nameOf({ kind, metadata }: Manifest): string {
  return `${kind}/${metadata.name}`;
}
