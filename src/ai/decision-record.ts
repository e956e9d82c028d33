import { createHash } from "node:crypto";
import type { Decision } from "../definition/decision.ts";
import type { Json } from "../definition/json.ts";
import { printable } from "./decision-guard.ts";

const MAX_RECORD_BYTES = 64 * 1_024;
const MAX_RAW = 4_096;
const MAX_RATIONALE = 1_000;
const MAX_STATE = 16 * 1_024;

/** The id of a visit's decision, from the visit's idempotency key: the same after every crash. */
export function decisionIdOf(idempotencyKey: string): string {
  return createHash("sha256").update(idempotencyKey).digest("hex").slice(0, 32);
}

/** What gives way, in this order, while a record is over its 64 KiB. */
const SHRINKERS: readonly ((decision: Decision) => Decision)[] = [
  (decision) => ({ ...decision, state: shortState(decision.state, 4_096) }),
  (decision) => ({
    ...decision,
    attempts: decision.attempts.map((attempt) => ({ ...attempt, raw: attempt.raw.slice(0, 512).toWellFormed() })),
  }),
  (decision) => ({
    ...decision,
    candidates: decision.candidates.map((candidate) => ({ ...candidate, description: candidate.description.slice(0, 100).toWellFormed() })),
  }),
  (decision) => ({ ...decision, guardrails: decision.guardrails.slice(0, 20), state: null }),
  (decision) => ({
    ...decision,
    candidates: decision.candidates.map((candidate) => ({
      ...candidate,
      description: "",
      verdict: candidate.verdict.slice(0, 100).toWellFormed(),
    })),
  }),
];

/** The record as it is stored: every text of a model cut and printable, 64 KiB at most. */
export function storable(decision: Decision): Decision {
  const cleaned: Decision = {
    ...decision,
    rationale: printable(decision.rationale, MAX_RATIONALE),
    attempts: decision.attempts.map((attempt) => ({ ...attempt, raw: attempt.raw.slice(0, MAX_RAW).toWellFormed() })),
    state: shortState(decision.state, MAX_STATE),
  };
  return SHRINKERS.reduce((record, shrink) => (bytesOf(record) > MAX_RECORD_BYTES ? shrink(record) : record), cleaned);
}

function bytesOf(value: unknown): number {
  return Buffer.byteLength(JSON.stringify(value));
}

function shortState(state: Json, limit: number): Json {
  const text = JSON.stringify(state);
  return text.length <= limit ? state : { truncated: true, characters: text.length, text: text.slice(0, limit).toWellFormed() };
}
