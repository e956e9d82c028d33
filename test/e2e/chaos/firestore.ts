import { missingJava, startEmulators } from "../../../scripts/emulators/start.ts";

const EX_UNAVAILABLE = 69;

/** Runs `work` with the address of a Firestore emulator: the one that runs already, or one of its own. Resolves with the exit code. */
export async function withFirestore(work: (address: string) => Promise<number>): Promise<number> {
  const running = process.env["FIRESTORE_EMULATOR_HOST"];
  if (running !== undefined) return await work(running);
  const missing = await missingJava();
  if (missing !== undefined) {
    console.error(`The Firestore emulator cannot run: ${missing}.`);
    return EX_UNAVAILABLE;
  }
  const emulators = await startEmulators({ ports: "free" });
  try {
    Object.assign(process.env, emulators.environment);
    return await work(emulators.environment.FIRESTORE_EMULATOR_HOST);
  } finally {
    for (const name of Object.keys(emulators.environment)) Reflect.deleteProperty(process.env, name);
    await emulators.stop();
  }
}
