import { toSignalboxError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1_000;

export interface Patience {
  signal: AbortSignal;
  clock: Clock;
  /** Longest pause between two tries, milliseconds; 1,000 unless told. */
  longestPauseMs?: number | undefined;
}

/**
 * A read that is repeated while the store cannot be reached, until the signal. Of an execution that is held: an outage is no failure of it;
 * who cannot read cannot write either, and loses the lease, which ends the session.
 */
export async function patientRead<T>(read: () => Promise<T>, { signal, clock, longestPauseMs = LONGEST_PAUSE_MS }: Patience): Promise<T> {
  for (let pause = FIRST_PAUSE_MS; ; pause = Math.min(pause * 2, longestPauseMs)) {
    try {
      return await read();
    } catch (error) {
      if (signal.aborted || toSignalboxError(error).code !== "UNAVAILABLE") throw error;
    }
    // Whoever waits for the same store does not come back at the same moment.
    await rest(pause * (0.5 + Math.random() / 2), { signal, clock });
    signal.throwIfAborted();
  }
}

/** Resolves after `ms`, or with the signal. */
export async function rest(ms: number, { signal, clock }: Pick<Patience, "signal" | "clock">): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = clock.after(ms, done);
    function done(): void {
      cancel();
      signal.removeEventListener("abort", done);
      resolve();
    }
    signal.addEventListener("abort", done, { once: true });
  });
}
