import { z } from "zod";
import { replyFault } from "./failure.ts";
import type { ModelReply } from "./model-call.ts";

const MAX_TOLD = 200;

const Answer = z.strictObject({
  choice: z.string(),
  confidence: z.number().min(0).max(1),
  rationale: z.string(),
  event: z.string().nullable().default(null),
});

/** What a model may answer. */
export interface Allowed {
  /** Step id by the opaque id the model saw. */
  options: ReadonlyMap<string, string>;
  events: readonly string[];
  minConfidence: number;
}

/** An answer that holds: everything in it is allowed. */
export interface GuardedAnswer {
  outcome: "accepted";
  selected: string;
  confidence: number;
  rationale: string;
  event: string | null;
}

/** An answer that does not, why, and what it tried. */
export interface RefusedAnswer {
  outcome: "invalid" | "not_allowed" | "refused" | "low_confidence";
  rule: "readable" | "schema" | "allowed_option" | "allowed_event" | "min_confidence" | "answered";
  message: string;
  attempted: string | null;
  /** An event it named that is not allowed. */
  event: string | null;
}

/**
 * Judges an answer by code alone. An option counts only when it is byte for byte one of the ids that were sent: nothing is trimmed,
 * folded, unfenced or guessed, so a lookalike, a padded id or prose around the JSON is refused like any other wrong answer.
 */
export function guardAnswer(reply: ModelReply, allowed: Allowed): GuardedAnswer | RefusedAnswer {
  const fault = replyFault(reply);
  if (fault?.kind === "refused" || fault?.kind === "content_filter") return refused("refused", "answered", fault.message);
  if (fault) return refused("invalid", "readable", fault.message);
  const parsed = parseAnswer(reply.text);
  if ("outcome" in parsed) return parsed;
  const { choice, confidence, rationale, event } = parsed;
  const unlisted = event !== null && !allowed.events.includes(event) ? event : null;
  const selected = allowed.options.get(choice);
  if (selected === undefined) {
    return refused(
      "not_allowed",
      "allowed_option",
      `"${told(choice)}" is not one of ${[...allowed.options.keys()].join(", ")}.`,
      choice,
      unlisted,
    );
  }
  if (unlisted !== null)
    return refused("not_allowed", "allowed_event", `The event "${told(unlisted)}" is not allowed.`, unlisted, unlisted);
  if (confidence < allowed.minConfidence) {
    return refused("low_confidence", "min_confidence", `Confidence ${confidence} is below ${allowed.minConfidence}.`, selected);
  }
  return { outcome: "accepted", selected, confidence, rationale, event };
}

function parseAnswer(text: string): z.infer<typeof Answer> | RefusedAnswer {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    const message =
      text.trim() === "" ? "The answer is empty." : "The answer is not one JSON object; write no prose and no code fence around it.";
    return refused("invalid", "readable", message);
  }
  const parsed = Answer.safeParse(value);
  if (parsed.success) return parsed.data;
  const problems = parsed.error.issues.map(({ path, message }) => (path.length > 0 ? `${path.join(".")}: ${message}` : message));
  return refused("invalid", "schema", told(problems.join("; ")), JSON.stringify(value));
}

function refused(
  outcome: RefusedAnswer["outcome"],
  rule: RefusedAnswer["rule"],
  message: string,
  attempted: string | null = null,
  event: string | null = null,
): RefusedAnswer {
  return { outcome, rule, message, attempted: attempted === null ? null : told(attempted), event: event === null ? null : told(event) };
}

/** A text of the model, short and printable. */
function told(text: string): string {
  return printable(text, MAX_TOLD);
}

/** At most `limit` characters, without control and invisible format characters, in well-formed Unicode. */
export function printable(text: string, limit: number): string {
  // Twice the limit is looked at, so that megabytes of control characters cost nothing.
  return text
    .slice(0, limit * 8)
    .replaceAll(/[\p{Cc}\p{Cf}]+/gu, " ")
    .trim()
    .slice(0, limit)
    .toWellFormed();
}
