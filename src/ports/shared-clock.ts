import type { Clock } from "./clock.ts";

/** Differences up to this are left alone, milliseconds: machines that keep their time are closer, and leases bear it. */
const TOLERANCE_MS = 1_000;
/** A clock that was put right is kept closer, milliseconds. */
const STEADY_MS = 50;

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
      const present = now();
      const took = present - askedAt;
      // Asked before the last change, in another time.
      if (took < 0) return;
      // By now it is at least as late there as it was when the answer was made, and at most by what the answer took later.
      const slack = offset === 0 ? TOLERANCE_MS : STEADY_MS;
      if (present >= theirs - slack && present <= theirs + took + slack) return;
      // The earliest it can be: what takes long is the connection, before the store looks at its clock, and ahead is the dangerous side.
      const change = theirs - present;
      offset = Math.abs(offset + change) <= TOLERANCE_MS ? 0 : offset + change;
      if (Math.abs(change) <= TOLERANCE_MS) return;
      onChange(-offset);
    },
  };
}
