import { glob } from "node:fs/promises";
import { join } from "node:path";

const ROOT = join(import.meta.dirname, "..");
/** Ends with the process: the service, and the thread that it starts by itself. */
const STARTED = /\/(main|writer-worker)\.ts$/;

/**
 * Loads every module of the service and then starts it, so that NODE_COMPILE_CACHE holds all there is to compile, what is loaded when
 * it is first used included: a process that has to strip a single type loads a compiler of 25 MB for it. A service that cannot be put
 * together fails here.
 */
for await (const file of glob("src/**/*.ts", { cwd: ROOT })) if (!STARTED.test(file)) await import(join(ROOT, file));
await import("../src/main.ts");
if (process.exitCode === undefined) process.kill(process.pid, "SIGTERM");
