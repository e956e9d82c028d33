import { z } from "zod";
import { JsonValue } from "./json.ts";

/** One call of a model inside a decision. */
export const DecisionAttempt = z
  .object({
    model: z.string(),
    outcome: z.enum(["accepted", "invalid", "not_allowed", "refused", "low_confidence", "timeout", "failed"]),
    raw: z.string().describe("The raw answer, truncated to 4,096 characters"),
    error: z.string().nullable(),
    latencyMs: z.number(),
    tokensIn: z.number().int(),
    tokensOut: z.number().int(),
    costUsd: z.number(),
  })
  .meta({ id: "DecisionAttempt" });
export type DecisionAttempt = z.infer<typeof DecisionAttempt>;

export const DecisionCandidate = z
  .object({
    id: z.string(),
    description: z.string(),
    allowed: z.boolean(),
    verdict: z.string().describe('Why it may or may not be chosen: "allowed", "condition is false", "not in the policy"'),
  })
  .meta({ id: "DecisionCandidate" });
export type DecisionCandidate = z.infer<typeof DecisionCandidate>;

export const DecisionSource = z.enum(["only_option", "rule", "model", "fallback", "human", "none"]).meta({ id: "DecisionSource" });
export type DecisionSource = z.infer<typeof DecisionSource>;

/** The record of one choice, stored before the choice takes effect; a crash never asks again. At most 64 KiB. */
export const Decision = z
  .object({
    id: z.string().describe("Digest of (execution, step path, visit)"),
    executionId: z.string(),
    workflowId: z.string(),
    workflowVersion: z.number().int(),
    stepId: z.string(),
    visit: z.number().int(),
    at: z.string(),
    source: DecisionSource,
    selected: z.string().nullable().describe("Step id chosen; null while a person is asked or when it failed"),
    candidates: z.array(DecisionCandidate),
    confidence: z.number().nullable(),
    rationale: z.string(),
    offline: z.boolean().describe("true: made by the scripted model, by word overlap"),
    model: z.string().nullable(),
    promptDigest: z.string().nullable().describe("SHA-256 of the prompt, hex"),
    attempts: z.array(DecisionAttempt),
    guardrails: z.array(z.object({ rule: z.string(), verdict: z.string(), value: z.string().nullable() })),
    events: z.array(z.object({ event: z.string(), verdict: z.enum(["proposed", "emitted", "event_not_allowed"]) })),
    latencyMs: z.number(),
    tokensIn: z.number().int(),
    tokensOut: z.number().int(),
    costUsd: z.number(),
    answeredBy: z.string().nullable().describe("Principal, when a person chose"),
    state: JsonValue.describe("What the model saw of the execution, truncated"),
  })
  .meta({ id: "Decision" });
export type Decision = z.infer<typeof Decision>;
