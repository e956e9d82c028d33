import { spawn } from "node:child_process";
import { randomInt } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import { createServer } from "node:net";
import path from "node:path";

/** The root of the repository: where the service is started, as `npm start` does it. */
export const ROOT = path.join(import.meta.dirname, "..", "..", "..");
// A machine that does much else at once needs long.
const READY_MS = 300_000;
const LOOK_EVERY_MS = 10;
const KEPT_OUTPUT = 8_000;

/** What Node compiled once is not compiled again by the next process: half of the time to ready. A killed process adds nothing to it. */
const COMPILE_CACHE = path.join(ROOT, "node_modules", ".cache", "signalbox-compiled");

/** A process of ours that serves HTTP on 127.0.0.1. */
export interface Child extends AsyncDisposable {
  readonly pid: number;
  readonly baseUrl: string;
  readonly startedAt: number;
  /** Resolves when the readiness path answers 200; rejects when the process ends before. */
  ready(): Promise<void>;
  /** SIGKILL, and gone when it resolves. */
  kill(): Promise<void>;
  /** SIGTERM, and gone when it resolves; SIGKILL after 20 s. */
  stop(): Promise<void>;
  /** How it ended, undefined while it lives. */
  readonly ended: { code: number | null; signal: NodeJS.Signals | null } | undefined;
  /** The end of what it printed: for the message of a test that fails. */
  readonly output: string;
}

export interface ChildOptions {
  /** Arguments of node: a file, then its own. */
  args: readonly string[];
  port: number;
  /** The whole environment besides PATH and HOME: a developer's own settings must not change what is tested. */
  env?: Record<string, string> | undefined;
  readyPath: string;
  /** A command the process is started through, such as strace and its options. */
  through?: readonly string[] | undefined;
  /** A file that gets everything it prints. */
  logFile?: string | undefined;
}

/** Starts node with `args`. The caller ends it, on every path. */
export function startChild({ args, port, env = {}, readyPath, through = [], logFile }: ChildOptions): Child {
  const [command = process.execPath, ...words] = [...through, process.execPath, ...args];
  const { PATH = "", HOME = "" } = process.env;
  const startedAt = Date.now();
  const child = spawn(command, words, {
    cwd: ROOT,
    env: { PATH, HOME, NODE_ENV: "production", NODE_COMPILE_CACHE: COMPILE_CACHE, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let ended: Child["ended"];
  let output = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text: string) => {
      output = (output + text).slice(-KEPT_OUTPUT);
      if (logFile !== undefined) appendFileSync(logFile, text);
    });
  }
  const gone = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      output += error.message;
      ended ??= { code: null, signal: null };
      resolve();
    });
    child.once("exit", (code, signal) => {
      ended ??= { code, signal };
      resolve();
    });
  });
  const baseUrl = `http://127.0.0.1:${port}`;

  /** The process itself: a tracer ends with what it traces, not the other way round. */
  function processId(): number {
    const first = child.pid ?? -1;
    if (through.length === 0) return first;
    return Number(readFileSync(`/proc/${first}/task/${first}/children`, "utf8").split(" ")[0] || first);
  }

  async function end(signal: NodeJS.Signals): Promise<void> {
    if (ended) return;
    process.kill(processId(), signal);
    const insist = setTimeout(() => child.kill("SIGKILL"), 20_000);
    await gone;
    clearTimeout(insist);
  }

  return {
    get pid() {
      return processId();
    },
    baseUrl,
    startedAt,
    async ready() {
      let said = "";
      for (const until = Date.now() + READY_MS; Date.now() < until;) {
        if (ended) throw new Error(`The process ended before it was ready (${JSON.stringify(ended)}):\n${output}`);
        const isReady = await fetch(`${baseUrl}${readyPath}`, { signal: AbortSignal.timeout(5_000) }).then(
          async (response) => ((said = await response.text()), response.ok),
          (error: unknown) => ((said = String(error)), false),
        );
        if (isReady) return;
        await pause(LOOK_EVERY_MS);
      }
      throw new Error(`The process was not ready within ${READY_MS} ms (${said}):\n${output}`);
    },
    kill: () => end("SIGKILL"),
    stop: () => end("SIGTERM"),
    get ended() {
      return ended;
    },
    get output() {
      return output;
    },
    [Symbol.asyncDispose]: () => end("SIGKILL"),
  };
}

/**
 * A port nobody listens on now: known before the process starts, so that it comes back on the same one. Below those that systems give
 * to outgoing connections: one of these takes the port while its process is away.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(20_000, 32_000);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once("error", () => resolve(false));
      server.listen({ host: "127.0.0.1", port, exclusive: true }, () => resolve(true));
    });
    if (!isFree) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}

export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
