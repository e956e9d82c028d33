import { randomUUID } from "node:crypto";
import { inject } from "vitest";

/** Whether the emulators run here; suites that need them say `describe.runIf(emulated)`. */
export const emulated = inject("emulators") !== null;

/** Leads Google's clients of this file to the emulators; returns a project nobody else uses, which makes wiping needless. */
export function newProject(): string {
  const emulators = inject("emulators");
  if (emulators) {
    process.env.FIRESTORE_EMULATOR_HOST = emulators.firestore;
    process.env.PUBSUB_EMULATOR_HOST = emulators.pubsub;
  }
  return `demo-${randomUUID()}`;
}
