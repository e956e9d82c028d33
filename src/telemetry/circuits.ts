import type { CircuitChange } from "../circuit/circuit.ts";
import { boundedLabel } from "./bounded-label.ts";
import type { Metrics } from "./metrics.ts";

const MAX_CIRCUITS = 50;

/** Counts what circuit breakers do, and writes a line for each change: an operator wants to know whom the service leaves alone. */
export function circuitObserver(
  metrics: Pick<Metrics, "circuitChanges" | "circuitsOpen">,
  log: (message: string, fields: Record<string, unknown>) => void,
): (circuit: string, change: CircuitChange) => void {
  const name = boundedLabel(MAX_CIRCUITS);
  return (circuit, change) => {
    metrics.circuitChanges.inc({ circuit: name(circuit), to: change });
    // A probe that fails opens what was not closed.
    if (change === "half-open") metrics.circuitsOpen.dec();
    else if (change === "open") metrics.circuitsOpen.inc();
    log(`circuit ${change}`, { circuit });
  };
}
