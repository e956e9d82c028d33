import type { Clock } from "../../src/ports/clock.ts";

export interface ManualClock extends Clock {
  /** Moves time on and calls back whatever became due, in order. */
  advance(ms: number): void;
}

/** A clock that moves only when told. */
export function manualClock(start: number = Date.UTC(2026, 0, 1)): ManualClock {
  let now = start;
  let timers: { at: number; callback: () => void }[] = [];
  return {
    now: () => now,
    after(ms, callback) {
      const timer = { at: now + Math.max(0, ms), callback };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
    advance(ms) {
      const until = now + ms;
      for (;;) {
        const next = timers.toSorted((left, right) => left.at - right.at)[0];
        if (!next || next.at > until) break;
        timers = timers.filter((timer) => timer !== next);
        now = next.at;
        next.callback();
      }
      now = until;
    },
  };
}
