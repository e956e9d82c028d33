import { spawn } from "node:child_process";
import { constants } from "node:os";
import { join } from "node:path";
import { EXIT_UNAVAILABLE, Refusal, root } from "./refusal.mjs";
import { ensureInstalled } from "./install.mjs";
import { findNode } from "./node.mjs";

const PARENT_CHECK_MS = 500;
const FORWARDED_SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP", "SIGQUIT", "SIGUSR2"];

/** Installs what is missing, runs the command and ends as it ends. Expected failures are one line and an exit code. */
export async function run(words) {
  try {
    await ensureInstalled();
    const { environment, command } = parse(words);
    await become(findNode(), command, environment);
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    console.error(`signalbox: ${error.message}`);
    process.exitCode = error.exitCode;
  }
}

/** `NAME=value` words in front are defaults of the environment; a bare word is a tool of node_modules/.bin. */
function parse(words) {
  const environment = { ...process.env };
  const rest = [...words];
  while (/^[A-Z][A-Z0-9_]*=/.test(rest[0] ?? "")) {
    const [name, ...value] = rest.shift().split("=");
    environment[name] ||= value.join("=");
  }
  if (/^[a-z][a-z0-9-]*$/.test(rest[0] ?? "")) rest[0] = join(root, "node_modules", ".bin", rest[0]);
  return { environment, command: rest };
}

/** The nearest thing to exec(2) that every Node has: same terminal, every signal passed on, same ending. */
function become(node, args, environment) {
  return new Promise((resolve, reject) => {
    const child = spawn(node, args, { cwd: root, env: environment, stdio: "inherit" });
    const forward = (signal) => {
      // Ctrl-C in a terminal reaches the child without us; a second one would mean "at once" to it.
      if (signal === "SIGINT" && process.stdin.isTTY) return;
      child.kill(signal);
    };
    for (const signal of FORWARDED_SIGNALS) process.on(signal, forward);
    // A killed npm cannot say so; without this the service would be left listening.
    const parent = process.ppid;
    const watch = setInterval(() => process.ppid !== parent && child.kill("SIGTERM"), PARENT_CHECK_MS);
    if (!process.env.npm_lifecycle_event) clearInterval(watch);
    child.on("error", (error) => reject(new Refusal(`${node} cannot run here: ${error.message}`, EXIT_UNAVAILABLE)));
    child.on("exit", (code, signal) => {
      clearInterval(watch);
      for (const name of FORWARDED_SIGNALS) process.removeListener(name, forward);
      process.exitCode = code ?? 128 + constants.signals[signal];
      resolve();
    });
  });
}
