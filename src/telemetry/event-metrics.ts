import type { Metrics } from "./metrics.ts";

/** Counts events that come in, and writes a line for each message that cannot be taken as one. */
export function eventMetrics(metrics: Metrics, log: (message: string, fields: Record<string, unknown>) => void) {
  return {
    taken({ via, outcome, woken }: { via: string; outcome: string; woken: number }): void {
      metrics.eventsReceived.inc({ via, outcome });
      if (woken > 0) metrics.executionsWoken.inc(woken);
    },
    parked({ via, code, reason }: { via: string; code: string; reason: string }): void {
      metrics.eventsParked.inc({ code });
      log("event parked", { via, code, reason });
    },
  };
}
