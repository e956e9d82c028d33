import type { ExecutionError } from "../definition/execution.ts";
import { withControl, type Work } from "./work.ts";

/** The node that undoes what was done; no step id can be its name. */
export const COMPENSATE_NODE = "=";
/** Where the state keeps the failure that is being compensated. */
export const FAILURE = "$failure";

/** The work of a failed step whose policy is to compensate. */
export function beginCompensation(work: Work, failure: ExecutionError): Work {
  return withControl(work, { [FAILURE]: failure });
}
