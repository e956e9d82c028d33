import type { Clock } from "../ports/clock.ts";
import type { WorkHint } from "../ports/queue.ts";

/** Timers of this process for what is due soon, so that a local delay is not a sweep late. Bounded by the horizon. */
export interface Wakeups {
  /** Wakes at `at` (epoch ms) when that is within the horizon; later ones are left to the sweeper. */
  at(at: number, hint: WorkHint): void;
  clear(): void;
}

interface WakeupsOptions {
  clock: Clock;
  horizonMs: number;
  /** Called at once for what is due when it is told of. */
  wake(hint: WorkHint): void;
  /** Called when the time of a later one has come. */
  ring(hint: WorkHint): void;
}

export function createWakeups({ clock, horizonMs, wake, ring }: WakeupsOptions): Wakeups {
  const timers = new Map<string, { at: number; cancel: () => void }>();
  return {
    at(at, hint) {
      if (at - clock.now() > horizonMs) return;
      if (at <= clock.now()) return wake(hint);
      const present = timers.get(hint.executionId);
      if (present && present.at <= at) return;
      present?.cancel();
      const cancel = clock.after(at - clock.now(), () => {
        timers.delete(hint.executionId);
        ring(hint);
      });
      timers.set(hint.executionId, { at, cancel });
    },
    clear() {
      for (const { cancel } of timers.values()) cancel();
      timers.clear();
    },
  };
}
