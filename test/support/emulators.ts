import type { TestProject } from "vitest/node";
import { missingJava, startEmulators } from "../../scripts/emulators/start.ts";

declare module "vitest" {
  export interface ProvidedContext {
    /** Null where the emulators cannot run: suites that need them are skipped. */
    emulators: { firestore: string; pubsub: string } | null;
  }
}

/**
 * Global setup of the projects that need Google's emulators: one pair for all files of a run (each file uses a project id of its
 * own). Emulators that already run, as told by the two variables, are used as they are.
 */
export default async function setup(project: Pick<TestProject, "provide">): Promise<(() => Promise<void>) | undefined> {
  const { FIRESTORE_EMULATOR_HOST: firestore, PUBSUB_EMULATOR_HOST: pubsub } = process.env;
  if (firestore && pubsub) {
    project.provide("emulators", { firestore, pubsub });
    return undefined;
  }
  const missing = await missingJava();
  if (missing) {
    if (process.env.CI) throw new Error(`The emulator suites must run in CI: ${missing}.`);
    console.log(`Emulator suites are skipped: ${missing}.`);
    project.provide("emulators", null);
    return undefined;
  }
  const emulators = await startEmulators({ ports: "free" });
  const { environment } = emulators;
  project.provide("emulators", { firestore: environment.FIRESTORE_EMULATOR_HOST, pubsub: environment.PUBSUB_EMULATOR_HOST });
  return () => emulators.stop();
}
