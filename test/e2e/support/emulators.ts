import { missingJava, startEmulators, type Emulators } from "../../../scripts/emulators/start.ts";
import { freePort, type Child } from "./child.ts";
import { startServiceOn } from "./service.ts";

/** What leads Google's clients to the emulators. */
export type EmulatorHosts = Emulators["environment"];

const EX_UNAVAILABLE = 69;

/** Runs `work` with the emulators that run already, or a pair of its own. Resolves with the exit code. */
export async function withEmulators(work: (hosts: EmulatorHosts) => Promise<number>): Promise<number> {
  const { FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST } = process.env;
  if (FIRESTORE_EMULATOR_HOST !== undefined && PUBSUB_EMULATOR_HOST !== undefined)
    return await work({ FIRESTORE_EMULATOR_HOST, PUBSUB_EMULATOR_HOST, METADATA_SERVER_DETECTION: "none" });
  const missing = await missingJava();
  if (missing !== undefined) {
    console.error(`The emulators cannot run: ${missing}.`);
    return EX_UNAVAILABLE;
  }
  const emulators = await startEmulators({ ports: "free" });
  try {
    Object.assign(process.env, emulators.environment);
    return await work(emulators.environment);
  } finally {
    // Else the next one who asks would be led to these.
    for (const name of Object.keys(emulators.environment)) Reflect.deleteProperty(process.env, name);
    await emulators.stop();
  }
}

interface PodOptions {
  hosts: EmulatorHosts;
  /** Of Firestore and Pub/Sub both. */
  project: string;
  env?: Record<string, string> | undefined;
  preload?: string | undefined;
}

/** Starts the service as a process of its own that shares its work and takes its events over Pub/Sub, on Firestore. */
export async function startPod({ hosts, project, env, preload }: PodOptions): Promise<Child> {
  const broker = `pubsub:${project}`;
  return startServiceOn({
    port: await freePort(),
    store: `firestore:${project}`,
    env: { ...hosts, SIGNALBOX_QUEUE: broker, SIGNALBOX_EVENTS: broker, ...env },
    preload,
  });
}
