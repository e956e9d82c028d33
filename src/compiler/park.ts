import { randomUUID } from "node:crypto";
import { interrupt, isGraphInterrupt } from "@langchain/langgraph";
import type { Json } from "../definition/json.ts";
import type { Parking } from "./host.ts";
import type { ParkedState, Visit } from "./visit.ts";

/** Registers what a visit is parked on and interrupts its node. */
export function park(visit: Visit, parking: Omit<Parking, "waitId">): never {
  return suspend((interruptId) => visit.host.park(visit.place, { waitId: parking.wait.id ?? randomUUID(), ...parking }, interruptId));
}

/** A wait keeps the step's own state, or says that it is a retry. */
export function parkedState(state: Json): Json {
  const isRetry = state !== null && typeof state === "object" && !Array.isArray(state) && state["retry"] === true;
  return (isRetry ? { retry: true } : { step: state }) satisfies ParkedState;
}

/**
 * Interrupts the node. `interrupt()` first hands back every answer of earlier interrupts of this task, in order; what they said is
 * in our own waits, so it is called until it throws.
 */
export function suspend(register: (interruptId: string) => void): never {
  for (;;) {
    try {
      interrupt({ parked: true });
    } catch (thrown) {
      const id = isGraphInterrupt(thrown) ? thrown.interrupts[0]?.id : undefined;
      if (id !== undefined) register(id);
      throw thrown;
    }
  }
}
