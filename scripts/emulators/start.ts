import { execFile, spawn, type ChildProcess } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { closeSync, existsSync, openSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { writeFirebaseConfig } from "./firebase-config.ts";
import { findSdkEmulators } from "./google-cloud-sdk.ts";
import { writeShims } from "./shims.ts";

const REPOSITORY = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
const MIN_JAVA = 11;
// The emulators download on first use where no SDK is installed: 64 MB.
const START_TIMEOUT_MS = 180_000;
const STOP_TIMEOUT_MS = 15_000;
const LOOK_MS = 50;

/** Running emulators: the variables Google's clients look at, and the way to end them. */
export interface Emulators {
  environment: Record<"FIRESTORE_EMULATOR_HOST" | "PUBSUB_EMULATOR_HOST" | "METADATA_SERVER_DETECTION", string>;
  stop(): Promise<void>;
}

/** Why the emulators cannot run here, as one line; undefined where they can. */
export async function missingJava(): Promise<string | undefined> {
  try {
    const { stderr, stdout } = await promisify(execFile)("java", ["-version"], { timeout: 20_000 });
    const major = Number(/version "(?:1\.)?(\d+)/.exec(stderr + stdout)?.[1]);
    return major >= MIN_JAVA ? undefined : `Java ${major} is installed, ${MIN_JAVA} or newer is needed`;
  } catch {
    return `no working "java" on the PATH (${MIN_JAVA} or newer is needed)`;
  }
}

/** Starts the Firestore and Pub/Sub emulators through firebase-tools and resolves once both answer. */
export async function startEmulators({ ports = "configured" }: { ports?: "configured" | "free" } = {}): Promise<Emulators> {
  const folder = await writeFirebaseConfig(REPOSITORY, ports);
  const require = createRequire(import.meta.url);
  const firebase = join(dirname(require.resolve("firebase-tools/package.json")), "lib", "bin", "firebase.js");
  const hosts = join(folder, "hosts.json");
  const anchor = `"${process.execPath}" "${join(REPOSITORY, "scripts", "emulators", "anchor.ts")}" "${hosts}"`;
  // A file and no pipe: firebase-tools would die of a broken pipe when we are killed, and leave the emulators behind.
  const log = openSync(join(folder, "firebase-tools.log"), "w");
  // A project id of its own: firebase-tools keeps one hub file per project in the temporary folder.
  const project = `demo-signalbox-${randomBytes(4).toString("hex")}`;
  const child = spawn(process.execPath, [firebase, "emulators:exec", "--project", project, "--only", "firestore,pubsub", anchor], {
    cwd: folder,
    detached: true, // Ctrl-C goes to the command only; the emulators end after it
    stdio: ["pipe", log, log],
    env: {
      JAVA_TOOL_OPTIONS: "-XX:+UseSerialGC -Xmx1g",
      ...process.env,
      // Neither a login nor settings of the user's are read or written.
      XDG_CONFIG_HOME: folder,
      ...writeShims(findSdkEmulators(process.env), join(REPOSITORY, "node_modules")),
    },
  });
  closeSync(log);
  const stop = (): Promise<void> => stopEmulators(child, folder);
  try {
    return { environment: { ...(await emulatorHosts(child, folder, hosts)), METADATA_SERVER_DETECTION: "none" }, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

type Hosts = Record<"FIRESTORE_EMULATOR_HOST" | "PUBSUB_EMULATOR_HOST", string>;

async function emulatorHosts(child: ChildProcess, folder: string, hosts: string): Promise<Hosts> {
  const until = Date.now() + START_TIMEOUT_MS;
  while (!existsSync(hosts)) {
    if (child.exitCode !== null || child.signalCode !== null || Date.now() > until) {
      throw new Error(`The emulators did not start:\n${readFileSync(join(folder, "firebase-tools.log"), "utf8").slice(-4_000)}`);
    }
    await setTimeout(LOOK_MS);
  }
  return JSON.parse(readFileSync(hosts, "utf8")) as Hosts; // what the anchor wrote
}

async function stopEmulators(child: ChildProcess, folder: string): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) {
    // firebase-tools gives each emulator a process group of its own, so they are remembered before their parent goes.
    const descendants = await descendantsOf(child.pid);
    const exited = once(child, "exit");
    child.stdin?.end();
    const late = globalThis.setTimeout(() => child.kill("SIGKILL"), STOP_TIMEOUT_MS);
    await exited;
    clearTimeout(late);
    for (const pid of descendants) killIfAlive(pid);
  }
  rmSync(folder, { recursive: true, force: true });
}

async function descendantsOf(root: number | undefined): Promise<number[]> {
  if (root === undefined || process.platform === "win32") return [];
  const { stdout } = await promisify(execFile)("ps", ["-A", "-o", "pid=,ppid="]).catch(() => ({ stdout: "" })); // slim images have no ps
  const rows = stdout
    .trim()
    .split("\n")
    .map((row) => row.trim().split(/\s+/).map(Number));
  const found = [root];
  for (const parent of found) found.push(...rows.filter(([, ppid]) => ppid === parent).map(([pid]) => Number(pid)));
  return found.slice(1);
}

function killIfAlive(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // it ended by itself, as it should
  }
}
