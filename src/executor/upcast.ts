import type { Execution } from "../definition/execution.ts";

/** Fields that records of earlier versions may lack, with what their absence means. */
const ADDED: Pick<Execution, "groups" | "compensations" | "checkpoints" | "seenSignals" | "mailbox" | "inFlight"> = {
  groups: {},
  compensations: [],
  checkpoints: {},
  seenSignals: [],
  mailbox: [],
  inFlight: {},
};

/** A copy of a stored record in the present shape: what an earlier version wrote is finished by this one. */
export function upcast(execution: Execution): Execution {
  return { ...structuredClone(ADDED), ...structuredClone(execution) };
}
