import { CircuitState, circuitBreaker, handleWhen, type IBreaker } from "cockatiel";
import type { Clock } from "../ports/clock.ts";

/** What an error of a call says about whom was called; `nothing`: that the caller gave up, or never got as far. */
export type Verdict = "down" | "alive" | "nothing";

export interface CircuitRules {
  /** Failures that open it. */
  failures: number;
  /** They count where they lie within this, milliseconds; null: where nothing else came between. */
  windowMs: number | null;
  /** How long nobody calls then, but for one probe. */
  openMs: number;
}

export type CircuitChange = "closed" | "open" | "half-open";

/** Stops calling somebody who is down: once open nobody waits for them again, but for one probe after each pause. */
export interface Circuit {
  /** Makes the call, or throws what `refused` makes without it. */
  through<T>(call: () => Promise<T>): Promise<T>;
  /** Other rules from now on. */
  setRules(rules: CircuitRules): void;
}

interface CircuitOptions {
  rules: CircuitRules;
  clock: Clock;
  judge(error: unknown): Verdict;
  refused(retryAfterMs: number): Error;
  onChange?: ((change: CircuitChange) => void) | undefined;
}

export function createCircuit({ rules: first, clock, judge, refused, onChange = () => {} }: CircuitOptions): Circuit {
  let rules = first;
  let closedAgainAt = 0;
  const breaker = createBreaker(() => rules, clock);
  // Cockatiel looks at the machine's clock; how long it takes, it asks here.
  const pause = {
    next: () => pause,
    get duration() {
      return clock.now() < closedAgainAt ? Number.POSITIVE_INFINITY : Number.NEGATIVE_INFINITY;
    },
  };
  const isProbing = () => policy.state === CircuitState.HalfOpen;
  const policy = circuitBreaker(
    // A probe that says nothing must not close it.
    handleWhen((error) => judge(error) === "down" || isProbing()),
    { halfOpenAfter: pause, breaker },
  );
  policy.onBreak(() => {
    closedAgainAt = clock.now() + rules.openMs;
    onChange("open");
  });
  policy.onHalfOpen(() => onChange("half-open"));
  policy.onReset(() => {
    breaker.reset();
    onChange("closed");
  });

  return {
    async through<T>(call: () => Promise<T>): Promise<T> {
      const isOpen = policy.state === CircuitState.Open && clock.now() < closedAgainAt;
      // Cockatiel lets others wait for the probe; a step must not, it has a back-off.
      if (isOpen || isProbing()) throw refused(Math.max(0, closedAgainAt - clock.now()));
      const outcome = await policy.execute(async (): Promise<{ value: T } | { error: unknown }> => {
        try {
          return { value: await call() };
        } catch (error) {
          if (judge(error) !== "alive") throw error;
          return { error };
        }
      });
      if ("error" in outcome) throw outcome.error;
      return outcome.value;
    },
    setRules: (next) => void (rules = next),
  };
}

function createBreaker(rulesOf: () => CircuitRules, clock: Clock): IBreaker & { reset(): void } {
  let failedAt: number[] = [];
  return {
    state: undefined,
    success() {
      if (rulesOf().windowMs === null) failedAt = [];
    },
    failure(state) {
      const { failures, windowMs } = rulesOf();
      const now = clock.now();
      failedAt = [...failedAt, now].filter((at) => windowMs === null || at > now - windowMs).slice(-failures);
      return state === CircuitState.HalfOpen || failedAt.length >= failures;
    },
    reset: () => void (failedAt = []),
  };
}
