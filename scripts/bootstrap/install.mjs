import { spawn } from "node:child_process";
import { accessSync, constants, readFileSync } from "node:fs";
import { delimiter, join } from "node:path";
import { EXIT_CANNOT_CREATE, EXIT_UNAVAILABLE, Refusal, root } from "./refusal.mjs";

/** Installs exactly what package-lock.json says, when node_modules holds something else. */
export async function ensureInstalled() {
  const difference = differenceFromLock();
  if (!difference) return;
  try {
    accessSync(root, constants.W_OK);
  } catch {
    throw new Refusal(`${difference}, and ${root} cannot be written to`, EXIT_CANNOT_CREATE);
  }
  console.error(`signalbox: ${difference}; installing with npm ci, about a minute`);
  const startedAt = Date.now();
  const ending = await npmCi();
  if (ending !== 0) throw new Refusal(`npm ci failed (${ending}); its own words are above`, EXIT_UNAVAILABLE);
  console.error(`signalbox: installed in ${Math.round((Date.now() - startedAt) / 1000)} s`);
}

/** Why node_modules is not what the lock file describes, or undefined. Takes about 10 ms. */
function differenceFromLock() {
  const wanted = packagesOf("package-lock.json");
  if (!wanted) throw new Refusal("package-lock.json is missing or damaged: this is not a whole clone", EXIT_UNAVAILABLE);
  // npm writes this file last, so an interrupted install is noticed too.
  const present = packagesOf(join("node_modules", ".package-lock.json"));
  if (!present) return "node_modules is missing";
  const differs = [...new Set([...Object.keys(wanted), ...Object.keys(present)])].some((path) => {
    if (path === "") return false;
    if (!present[path]) return !wanted[path].optional;
    return present[path].version !== wanted[path]?.version || present[path].integrity !== wanted[path]?.integrity;
  });
  return differs ? "node_modules does not match package-lock.json" : undefined;
}

function packagesOf(file) {
  try {
    return JSON.parse(readFileSync(join(root, file), "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** Exit code or signal of `npm ci`. Install scripts are off: nothing here needs one, and one of them compiles for a minute. */
function npmCi() {
  const args = ["ci", "--ignore-scripts", "--loglevel=error", "--no-audit", "--no-fund"];
  const { npm_execpath: npm, npm_node_execpath: node } = process.env;
  // Under npm: the same npm again, with the Node it was started by. That one is outside node_modules, which npm ci deletes first.
  const [file, given] = npm?.endsWith("npm-cli.js") && node ? [node, [npm, ...args]] : ["npm", args];
  return new Promise((resolve) => {
    const child = spawn(file, given, {
      cwd: root,
      env: outsideNodeModules(),
      stdio: "inherit",
      shell: process.platform === "win32" && file === "npm",
    });
    const forward = (signal) => child.kill(signal);
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, forward);
    const end = (ending) => {
      for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.removeListener(signal, forward);
      resolve(ending);
    };
    child.on("error", (error) => end(error.code));
    child.on("exit", (code, signal) => end(code ?? signal));
  });
}

function outsideNodeModules() {
  const path = (process.env.PATH ?? "").split(delimiter).filter((folder) => !folder.startsWith(join(root, "node_modules")));
  return { ...process.env, PATH: path.join(delimiter) };
}
