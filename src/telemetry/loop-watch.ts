import type { Clock } from "../ports/clock.ts";

const LOOK_EVERY_MS = 1_000;
/** One long pause is a garbage collection or a large document; only what lasts is a process that cannot serve. */
const LATE_FOR_MS = 10_000;
const MEASURED_EVERY_MS = 100;

export interface LoopDelay {
  /** The longest the event loop was late since the last call, milliseconds. */
  longestMs(): number;
  stop(): void;
}

export interface LoopWatch {
  /** How late the event loop is, where it has been later than the limit for 10 s; undefined where it keeps up. */
  lateMs(): number | undefined;
  stop(): void;
}

interface LoopWatchOptions {
  clock: Clock;
  /** Milliseconds; 0: nothing is watched. */
  limitMs: number;
  delay?: LoopDelay;
}

/** Looks each second whether the event loop keeps up. One second in which it does is enough to be well again. */
export function watchLoop({ clock, limitMs, delay = measureLoopDelay() }: LoopWatchOptions): LoopWatch {
  let lateSince: number | undefined;
  let longest = 0;
  let cancel = limitMs > 0 ? clock.after(LOOK_EVERY_MS, look) : () => {};

  function look(): void {
    cancel = clock.after(LOOK_EVERY_MS, look);
    longest = delay.longestMs();
    lateSince = longest > limitMs ? (lateSince ?? clock.now()) : undefined;
  }

  return {
    lateMs: () => (lateSince !== undefined && clock.now() - lateSince >= LATE_FOR_MS ? longest : undefined),
    stop() {
      cancel();
      delay.stop();
    },
  };
}

/** By how much a timer of the real clock comes late. Node's own histogram loses the block that follows a reset of it. */
export function measureLoopDelay(): LoopDelay {
  let longest = 0;
  let last = performance.now();
  function measure(): void {
    const now = performance.now();
    longest = Math.max(longest, now - last - MEASURED_EVERY_MS);
    last = now;
  }
  const timer = setInterval(measure, MEASURED_EVERY_MS);
  timer.unref();
  return {
    longestMs() {
      measure();
      const found = Math.round(longest);
      longest = 0;
      return found;
    },
    stop: () => clearInterval(timer),
  };
}
