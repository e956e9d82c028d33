import type { Clock } from "./clock.ts";

/** Differences up to this are left alone, milliseconds: machines that keep their time are closer, and leases bear it. */
const TOLERANCE_MS = 1_000;

/** Time that all processes on one store agree on. */
export interface SharedClock extends Clock {
  /** Hears what the store's clock said, epoch milliseconds, in its answer to what was asked at `askedAt`, as this clock told it. */
  observe(theirs: number, askedAt: number): void;
}

/**
 * The machine's clock, put right by the store's where they differ. A process an hour ahead would take leases for over that are not,
 * and wake up executions an hour early.
 */
export function createSharedClock(clock: Clock, onChange: (aheadMs: number) => void): SharedClock {
  /** The store's time less the machine's. */
  let offset = 0;
  const now = (): number => clock.now() + offset;
  return {
    now,
    after: (ms, callback) => clock.after(ms, callback),
    observe(theirs, askedAt) {
      const took = now() - askedAt;
      // Asked before the last change, in another time.
      if (took < 0) return;
      // Made anywhere between question and answer.
      const difference = theirs - askedAt - took / 2;
      if (Math.abs(difference) <= TOLERANCE_MS + took / 2) return;
      const corrected = Math.round(offset + difference);
      offset = Math.abs(corrected) <= TOLERANCE_MS ? 0 : corrected;
      onChange(-offset);
    },
  };
}
