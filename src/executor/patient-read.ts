import { toSignalboxError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

export interface Patience {
  signal: AbortSignal;
  clock: Clock;
}

/**
 * A read of an execution that is held: repeated while the store cannot be reached, until the session ends. An outage is no failure
 * of the execution; who cannot read cannot write either, and loses the lease, which ends the session.
 */
export async function patientRead<T>(read: () => Promise<T>, { signal, clock }: Patience): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
    try {
      return await read();
    } catch (error) {
      if (signal.aborted || toSignalboxError(error).code !== "UNAVAILABLE") throw error;
    }
    await new Promise<void>((resolve) => clock.after(pause, resolve));
  }
}
