import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

/** The clone's top folder. */
export const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

/** sysexits.h, which the service uses as well. */
export const EXIT_UNAVAILABLE = 69;
export const EXIT_CANNOT_CREATE = 73;
export const EXIT_CONFIG = 78;

/** A failure that is expected: its message is the one line a person reads. */
export class Refusal extends Error {
  constructor(message, exitCode) {
    super(message);
    this.exitCode = exitCode;
  }
}
