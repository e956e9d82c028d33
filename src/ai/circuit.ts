import type { SignalboxError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import { faultOf, isPassing, modelError } from "./failure.ts";

const FAILURES_TO_OPEN = 5;
const OPEN_MS = 10_000;
/** A call that was given less time than this says more about its deadline than about the model. */
const FAIR_TIMEOUT_MS = 10_000;

/** Stops calling a model that is down: after five failures in a row nobody waits for it again, but for one probe every 10 s. */
export interface Circuit {
  /** Makes the call, or throws MODEL_FAILED (`circuit_open`) without it. */
  through<T>(call: () => Promise<T>): Promise<T>;
}

export function createCircuit({ model, clock }: { model: string; clock: Clock }): Circuit {
  let failures = 0;
  let closedAgainAt = 0;
  let isProbing = false;
  return {
    async through(call) {
      if (failures >= FAILURES_TO_OPEN && (isProbing || clock.now() < closedAgainAt)) {
        const retryAfterMs = Math.max(0, closedAgainAt - clock.now());
        throw modelError("circuit_open", `${model} failed ${failures} times in a row and is left alone for now.`, { model, retryAfterMs });
      }
      const isProbe = failures >= FAILURES_TO_OPEN;
      if (isProbe) isProbing = true;
      try {
        const answer = await call();
        failures = 0;
        return answer;
      } catch (error) {
        const counted = countsAsDown(error as SignalboxError);
        if (counted) failures += 1;
        else if (faultOf(error as SignalboxError) !== undefined) failures = 0;
        if (counted) closedAgainAt = clock.now() + OPEN_MS;
        throw error;
      } finally {
        if (isProbe) isProbing = false;
      }
    },
  };
}

/** Anything the model did answer proves that it is there; a caller that gave up proves nothing. */
function countsAsDown(error: SignalboxError): boolean {
  return isPassing(error) || (faultOf(error) === "timeout" && Number(error.details["timeoutMs"]) >= FAIR_TIMEOUT_MS);
}
