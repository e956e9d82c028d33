import { randomUUID } from "node:crypto";
import { inject } from "vitest";
import { openFirestoreStore, type FirestoreStore, type FirestoreStoreOptions } from "../../src/adapters/firestore/store.ts";
import { systemClock } from "../../src/ports/clock.ts";

const emulators = inject("emulators");

/** Whether the emulators run here; suites that need them say `describe.runIf(emulated)`. */
export const emulated = emulators !== null;

/** Where the Firestore emulator listens: the target of fault proxies. */
export const firestoreAddress = emulators?.firestore ?? "";

/** Leads Google's clients of this file to the emulators; returns a project nobody else uses, which makes wiping needless. */
export function newProject(): string {
  if (emulators) {
    process.env.FIRESTORE_EMULATOR_HOST = emulators.firestore;
    process.env.PUBSUB_EMULATOR_HOST = emulators.pubsub;
  }
  return `demo-${randomUUID()}`;
}

/** A store on the emulator, or on what stands at `through`: a proxy before it. */
export function openTestStore(
  project: string,
  { through, ...more }: Partial<FirestoreStoreOptions> & { through?: string } = {},
): FirestoreStore {
  // The client reads the variable when it is made.
  process.env.FIRESTORE_EMULATOR_HOST = through ?? firestoreAddress;
  const store = openFirestoreStore({ project, clock: systemClock, ownerId: randomUUID(), ...more });
  process.env.FIRESTORE_EMULATOR_HOST = firestoreAddress;
  return store;
}
