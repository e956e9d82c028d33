import type { SignalMessage } from "../definition/execution.ts";
import { parseExpression } from "../definition/expression.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { Wait } from "../definition/wait.ts";
import { SignalboxError } from "../errors.ts";

/** The event a wait is for, where it is for one. */
export function eventNameOf(wait: Wait): string | undefined {
  const event = stepStateOf(wait)?.["event"];
  return typeof event === "string" ? event : undefined;
}

/** True when an open wait takes this event: it has the name, and the wait's `match` is true of it. Pure. */
export function takesEvent(wait: Wait, { id, event: type, data, at: time }: SignalMessage): boolean {
  if (wait.answer !== null || eventNameOf(wait) !== type) return false;
  const { match = null, scope = null } = stepStateOf(wait) ?? {};
  if (typeof match !== "string") return true;
  return isTrue(match, { ...objectOf(scope), event: { id, type, time, data } });
}

/** An event that lacks what `match` asks about is another one, not a failure. */
function isTrue(match: string, scope: JsonObject): boolean {
  try {
    return parseExpression(match).evaluate(scope) === true;
  } catch (error) {
    if (error instanceof SignalboxError && error.code === "EXPRESSION_FAILED") return false;
    throw error;
  }
}

/** What the step said when it parked. */
function stepStateOf({ kind, state }: Wait): JsonObject | undefined {
  return kind === "event" ? objectOf(objectOf(state)?.["step"] ?? null) : undefined;
}

function objectOf(value: Json): JsonObject | undefined {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : undefined;
}
