import { faultOf, isPassing } from "../ai/failure.ts";
import { createCircuit, type Circuit, type CircuitChange, type CircuitRules, type Verdict } from "../circuit/circuit.ts";
import { durationMs } from "../definition/duration.ts";
import type { Breaker } from "../definition/step.ts";
import { SignalboxError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import { createLru } from "./lru.ts";

/** Circuits a process knows; those used last stay. */
const MAX_CIRCUITS = 10_000;
const DEFAULTS: CircuitRules = { failures: 5, windowMs: 60_000, openMs: 30_000 };

/** The circuits of steps, by tenant and key: shared by all executions of this process. */
export interface Circuits {
  of(tenant: string, breaker: Breaker): Circuit;
}

interface CircuitsOptions {
  clock: Clock;
  onChange?: (key: string, change: CircuitChange) => void;
}

export function createCircuits({ clock, onChange = () => {} }: CircuitsOptions): Circuits {
  const circuits = createLru<Circuit>(MAX_CIRCUITS);
  return {
    of(tenant, breaker) {
      const key = typeof breaker === "string" ? breaker : breaker.key;
      const rules = rulesOf(breaker);
      const circuit = circuits.get(JSON.stringify([tenant, key]), () =>
        createCircuit({
          rules: rules ?? DEFAULTS,
          clock,
          judge,
          refused: (retryAfterMs) => circuitOpen(key, retryAfterMs),
          onChange: (change) => onChange(key, change),
        }),
      );
      // A step that names no rules uses those of the others.
      if (rules) circuit.setRules(rules);
      return circuit;
    },
  };
}

function rulesOf(breaker: Breaker): CircuitRules | undefined {
  if (typeof breaker === "string") return undefined;
  const { failures, window, openFor } = breaker;
  return {
    failures: failures ?? DEFAULTS.failures,
    windowMs: durationMs(window ?? "") ?? DEFAULTS.windowMs,
    openMs: durationMs(openFor ?? "") ?? DEFAULTS.openMs,
  };
}

function circuitOpen(key: string, retryAfterMs: number): SignalboxError {
  const message = `Not called: "${key}" failed too often and is left alone for ${Math.ceil(retryAfterMs / 1_000)} s.`;
  return new SignalboxError("CIRCUIT_OPEN", message, { details: { breaker: key, retryAfterMs, happened: false } });
}

/**
 * What the failure of an attempt says about whom it called: down where nothing, nothing in time or a 5xx came back; alive where
 * there was an answer, a refusal included; nothing where the attempt never got there or was called off.
 */
export function judge(error: unknown): Verdict {
  // A step's own exception: whatever client it uses.
  if (!(error instanceof SignalboxError)) return "down";
  const { code, details } = error;
  switch (code) {
    case "STEP_TIMEOUT":
      return "down";
    case "STEP_FAILED":
      return isAnswer(details) ? "alive" : "down";
    case "MODEL_FAILED":
      if (faultOf(error) === "circuit_open") return "nothing";
      return isPassing(error) && faultOf(error) !== "rate_limited" ? "down" : "alive";
    case "REQUEST_REFUSED":
      return details["status"] === undefined ? "nothing" : "alive";
    default:
      return "nothing";
  }
}

function isAnswer({ status, code }: SignalboxError["details"]): boolean {
  return (typeof status === "number" && status < 500) || code === "TOOL_ERROR";
}
