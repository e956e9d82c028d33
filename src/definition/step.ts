import { z } from "zod";
import { Duration } from "./duration.ts";
import { JsonRecord, JsonValue } from "./json.ts";

/** A step's name inside its workflow. LangGraph node names may hold neither `|` nor `:`, and our state keys start with `_`. */
export const StepId = z
  .string()
  .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/, "must start with a letter and hold at most 64 letters, digits, _ or -")
  .meta({ id: "StepId" });

/** A CEL expression without `${ }`. */
export const Cel = z.string().min(1).max(4_096).meta({ id: "Cel" });

/** How a step ended, as routing sees it. */
export const Outcome = z.enum(["success", "error", "timeout", "rejected", "skipped"]).meta({ id: "Outcome" });
export type Outcome = z.infer<typeof Outcome>;

/** One way out of a step. Ways are read in order; the first whose `on` fits and whose `when` is true is taken. */
export const NextStep = z
  .strictObject({
    to: StepId,
    when: Cel.optional().describe("CEL; absent means else"),
    on: Outcome.optional().describe("Outcome it applies to; success unless told"),
    label: z.string().max(120).optional(),
    description: z.string().max(1_000).optional().describe("On a decision step: what the model reads about this option"),
  })
  .meta({ id: "NextStep" });
export type NextStep = z.infer<typeof NextStep>;

export const NextStepInput = z.union([StepId, NextStep]).meta({ id: "NextStepInput" });

export const RetryPolicy = z
  .strictObject({
    maxAttempts: z.number().int().min(1).max(100).describe("Attempts in all, the first included"),
    delay: Duration.default("1s"),
    multiplier: z.number().min(1).max(10).default(2),
    maxDelay: Duration.default("5m"),
    jitter: z.boolean().default(true).describe("Full jitter: each delay is random between 0 and its computed length"),
    retryOn: z.array(z.string().max(64)).max(50).optional().describe("Error codes that are retried; retryable ones unless told"),
    doNotRetryOn: z.array(z.string().max(64)).max(50).optional(),
  })
  .meta({ id: "RetryPolicy" });
export type RetryPolicy = z.infer<typeof RetryPolicy>;

/** What happens when no attempt succeeded and no `on: error` way applies. */
export const ErrorPolicy = z
  .strictObject({
    action: z.enum(["fail", "continue", "goto", "pause", "compensate"]),
    goto: StepId.optional().describe("Target of `goto`"),
    value: JsonValue.optional().describe("Output used by `continue`; null unless told"),
  })
  .meta({ id: "ErrorPolicy" });
export type ErrorPolicy = z.infer<typeof ErrorPolicy>;

const BreakerKey = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/, "must hold 1 to 64 letters, digits, dots, _ or -");

/** Whom a step calls, and when to leave it alone. */
export const Breaker = z
  .union([
    BreakerKey,
    z.strictObject({
      key: BreakerKey,
      failures: z.number().int().min(1).max(1_000).optional().describe("Failures that open it; 5 unless told"),
      window: Duration.optional().describe("They count where they lie within this; 1m unless told"),
      openFor: Duration.optional().describe("How long nobody calls then; 30s unless told"),
    }),
  ])
  .meta({ id: "Breaker" });
export type Breaker = z.infer<typeof Breaker>;

export const Position = z.strictObject({ x: z.number(), y: z.number() }).meta({ id: "Position" });

const stepFields = {
  id: StepId,
  name: z.string().min(1).max(255).optional().describe("The id unless told"),
  description: z.string().max(2_000).optional(),
  type: z.string().min(1).max(64).describe("A step type; GET /api/v1/step-types lists them"),
  config: JsonRecord.default({}).describe("Checked against the step type's own schema"),
  conditions: z.array(Cel).max(20).optional().describe("All must be true, else the step is skipped"),
  input: z.record(z.string(), JsonValue).optional().describe("What the step sees as its input; strings may hold ${ cel }"),
  output: z.record(z.string(), JsonValue).optional().describe("Variable name -> value over `output`; strings may hold ${ cel }"),
  retry: RetryPolicy.optional(),
  timeout: Duration.optional().describe("Longest time of one attempt"),
  onError: ErrorPolicy.optional(),
  breaker: Breaker.optional().describe("Circuit breaker, shared by all steps that name its key"),
  effect: z.enum(["none", "idempotent", "once"]).optional().describe("How a repeat after a crash is treated"),
  maxVisits: z.number().int().min(1).max(100_000).optional().describe("How often the step may be entered in one execution"),
  compensate: StepId.optional().describe("Step that undoes this one, run in reverse order of completion"),
  position: Position.optional(),
};

/** A step in the canonical form. */
export const Step = z
  .strictObject({ ...stepFields, name: z.string().min(1).max(255), nextSteps: z.array(NextStep).max(100) })
  .meta({ id: "WorkflowStep" });
export type Step = z.infer<typeof Step>;

/** A step as written: `nextSteps` may name steps directly, and may be left out on a step that ends its path. */
export const StepInput = z
  .strictObject({ ...stepFields, nextSteps: z.array(NextStepInput).max(100).default([]) })
  .meta({ id: "WorkflowStepInput" });
export type StepInput = z.infer<typeof StepInput>;
