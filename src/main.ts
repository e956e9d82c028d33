import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createApp } from "./app.ts";
import { loadConfig } from "./config.ts";
import { SignalboxError } from "./errors.ts";
import { welcome } from "./welcome.ts";

// sysexits.h: what a supervisor may tell apart without reading logs.
const EXIT_CONFIG = 78;
const EXIT_CANNOT_CREATE = 73;
const EXIT_UNAVAILABLE = 69;

/** Time beyond what the settings give to the stop, for sockets (3 s) and last commits; then it ends whatever hangs, milliseconds. */
const LAST_WORDS_MS = 6_000;

/** Within this time a repeated signal is the same one, milliseconds. */
const SAME_SIGNAL_MS = 1_000;

await main();

async function main(): Promise<void> {
  const [major = 0, minor = 0] = process.versions.node.split(".").map(Number);
  if (major < 22 || (major === 22 && minor < 18))
    return leave(EXIT_CONFIG, `Node 22.18 or newer is needed to run the service, this is ${process.version}.`);
  const loaded = loadConfig();
  if ("problems" in loaded) return leave(EXIT_CONFIG, ...loaded.problems);
  const { config } = loaded;
  try {
    const app = await createApp({ config });
    stopOnSignals(app, Math.max(config.SIGNALBOX_DRAIN_MS, config.SIGNALBOX_LINGER_MS) + LAST_WORDS_MS);
    try {
      await app.server.listen({ host: config.HOST, port: config.PORT });
    } catch (error) {
      await app.close();
      throw error;
    }
    await welcome(app);
    giveBackMemory();
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : undefined;
    if (code === "EADDRINUSE")
      return leave(EXIT_UNAVAILABLE, `Port ${config.PORT} on ${config.HOST} is taken. Choose another one with PORT=8081.`);
    if (code === "EACCES" || code === "EADDRNOTAVAIL")
      return leave(EXIT_UNAVAILABLE, `Cannot listen on ${config.HOST}:${config.PORT} (${code}).`);
    if (error instanceof SignalboxError && error.code === "UNAVAILABLE") return leave(EXIT_CANNOT_CREATE, error.message);
    if (error instanceof SignalboxError && error.code !== "INTERNAL") return leave(EXIT_CONFIG, error.message);
    throw error;
  }
}

/** What loading left behind: V8 keeps it until the heap is under pressure, and 250 MB became 165 MB in 60 ms. */
function giveBackMemory(): void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as (options: Record<string, string>) => void; // V8's own, which has no type
  collect({ type: "major", execution: "sync", flavor: "last-resort" });
}

function stopOnSignals(app: { close(): Promise<void> }, atMostMs: number): void {
  let stoppingSince: number | undefined;
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      // A second signal means now; one that a terminal or npm passed on twice does not.
      if (stoppingSince !== undefined && performance.now() - stoppingSince < SAME_SIGNAL_MS) return;
      if (stoppingSince !== undefined) process.exit(128 + (name === "SIGINT" ? 2 : 15));
      stoppingSince = performance.now();
      setTimeout(() => {
        console.error(`signalbox: not stopped after ${atMostMs} ms, ending without waiting; leases pass to others when they are over`);
        process.exit(1);
      }, atMostMs).unref();
      void app.close().then(
        () => process.exit(0),
        (error: unknown) => {
          console.error(error);
          process.exit(1);
        },
      );
    });
  }
}

function leave(exitCode: number, ...lines: string[]): void {
  for (const line of lines) console.error(`signalbox: ${line}`);
  process.exitCode = exitCode;
}
