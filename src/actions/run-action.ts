import { issuesOfZod } from "../definition/check/zod-issues.ts";
import { toJson, type Json, type JsonObject } from "../definition/json.ts";
import { SignalboxError, type Issue } from "../errors.ts";
import type { Action, ActionContext } from "./action.ts";

/** What keeps an input from fitting an action; `pointer` is where the input stands. */
export function inputIssues(action: Action, input: JsonObject, pointer: string): Issue[] {
  const parsed = action.input.safeParse(input);
  return parsed.success ? [] : issuesOfZod(parsed.error, pointer, { code: "INVALID_CONFIG", schema: action.input });
}

/** Runs an action on an input that is checked first: INVALID_INPUT where it does not fit. */
export async function runAction(action: Action, input: JsonObject, context: Omit<ActionContext, "input">): Promise<Json> {
  const parsed = action.input.safeParse(input);
  if (!parsed.success) {
    const issues = issuesOfZod(parsed.error, "/input", { schema: action.input });
    throw new SignalboxError("INVALID_INPUT", `The input of "${action.name}" does not fit: ${issues[0]?.message ?? ""}`, {
      issues,
      details: { happened: false },
    });
  }
  return toJson(await action.run({ ...context, input: parsed.data }));
}
