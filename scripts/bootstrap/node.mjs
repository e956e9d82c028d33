import { existsSync } from "node:fs";
import { join } from "node:path";
import { EXIT_CONFIG, Refusal, root } from "./refusal.mjs";

// Type stripping without a flag and node:sqlite without a warning.
const LEAST_NODE_TO_RUN = [22, 18];

/** The Node that runs TypeScript: the packaged one (24.21), else the system's when it is new enough. */
export function findNode() {
  const packaged = packagedNode();
  if (packaged) return packaged;
  if (isNewEnough(process.versions.node)) return process.execPath;
  throw new Refusal(
    `Node ${LEAST_NODE_TO_RUN.join(".")} or newer is needed on ${process.platform}-${process.arch}, for which none comes with the packages; this is ${process.version}`,
    EXIT_CONFIG,
  );
}

function packagedNode() {
  const platform = process.platform === "win32" ? "win" : process.platform;
  const name = process.platform === "win32" ? "node.exe" : "node";
  const path = join(root, "node_modules", `node-${platform}-${process.arch}`, "bin", name);
  return existsSync(path) ? path : undefined;
}

function isNewEnough(version) {
  const [major, minor] = version.split(".").map(Number);
  return major > LEAST_NODE_TO_RUN[0] || (major === LEAST_NODE_TO_RUN[0] && minor >= LEAST_NODE_TO_RUN[1]);
}
