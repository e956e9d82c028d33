import { createCircuit, type Circuit, type CircuitChange, type Verdict } from "../circuit/circuit.ts";
import { SignalboxError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import { faultOf, isPassing, modelError } from "./failure.ts";

/** After five failures in a row nobody waits for a model again, but for one probe every 10 s. */
const RULES = { failures: 5, windowMs: null, openMs: 10_000 };
/** A call that was given less time than this says more about its deadline than about the model. */
const FAIR_TIMEOUT_MS = 10_000;

/** The circuit of a model; a call that is not made is MODEL_FAILED (`circuit_open`). */
export function createModelCircuit(model: string, clock: Clock, onChange?: (change: CircuitChange) => void): Circuit {
  return createCircuit({
    rules: RULES,
    clock,
    judge,
    refused: (retryAfterMs) =>
      modelError("circuit_open", `${model} failed ${RULES.failures} times in a row and is left alone for now.`, { model, retryAfterMs }),
    onChange,
  });
}

/** Anything the model did answer proves that it is there; a caller that gave up proves nothing. */
function judge(error: unknown): Verdict {
  if (!(error instanceof SignalboxError)) return "nothing";
  const fault = faultOf(error);
  if (isPassing(error) || (fault === "timeout" && Number(error.details["timeoutMs"]) >= FAIR_TIMEOUT_MS)) return "down";
  return fault === undefined || fault === "timeout" ? "nothing" : "alive";
}
