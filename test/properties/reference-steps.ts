import { isDeepStrictEqual } from "node:util";
import { parseExpression, type Scope } from "../../src/definition/expression.ts";
import type { Json, JsonObject } from "../../src/definition/json.ts";
import type { NextStep, Step } from "../../src/definition/step.ts";
import { parseTemplate } from "../../src/definition/template.ts";
import { SignalboxError } from "../../src/errors.ts";

/** Config fields that are no templates, by step type. */
const BARE: Record<string, readonly string[]> = {
  condition: ["condition"],
  switch: ["on", "cases"],
  merge: ["expression"],
  loop: ["while"],
  parallel: ["waitFor", "requiredCount", "onBranchError"],
};

/** The config a visit works with. */
export function configOf({ type, config }: Step, scope: Scope): JsonObject {
  const bare = new Set(BARE[type] ?? []);
  const entries = Object.entries(config);
  const evaluated = parseTemplate(Object.fromEntries(entries.filter(([name]) => !bare.has(name)))).evaluate(scope) as JsonObject;
  return { ...evaluated, ...Object.fromEntries(entries.filter(([name]) => bare.has(name))) };
}

/** Ways out of a step, those its config says first. */
export function waysOf({ type, config, nextSteps }: Step): NextStep[] {
  return [...waysOfConfig(type, config), ...nextSteps];
}

function waysOfConfig(type: string, config: JsonObject): NextStep[] {
  // Fields as the step types' schemas have them; the definition was checked before.
  const given = config as Record<string, string | undefined>;
  switch (type) {
    case "condition":
      return [...way(given["truePath"], "output.result"), ...way(given["falsePath"], "!output.result")];
    case "switch": {
      const cases = (config["cases"] ?? []) as unknown as { to: string }[];
      return [...cases.flatMap(({ to }, index) => way(to, `output.matched == ${index}`)), ...way(given["default"], "output.matched == -1")];
    }
    case "parallel":
      return way(given["join"], undefined);
    default:
      return [];
  }
}

function way(to: string | undefined, when: string | undefined): NextStep[] {
  return to === undefined ? [] : [{ to, ...(when === undefined ? {} : { when }) }];
}

/** Output of a step that does not split and does not wait. Throws what makes it fail. */
export function outputOf(step: Step, config: JsonObject, scope: Scope): Json {
  switch (step.type) {
    case "start":
      return (scope as { input: Json }).input;
    case "end":
      if (config["outcome"] === "failed") throw new SignalboxError("STEP_FAILED");
      return null;
    case "transform":
      return config["set"] ?? null;
    case "condition":
      return { result: truth(String(config["condition"]), scope) };
    case "switch": {
      const value = parseExpression(String(config["on"])).evaluate(scope);
      const cases = config["cases"] as unknown as { equals: Json }[];
      return { value, matched: cases.findIndex(({ equals }) => isDeepStrictEqual(equals, value)) };
    }
    case "merge":
      return merged(config, scope);
    default:
      throw new Error(`the reference knows no step type "${step.type}"`);
  }
}

function merged({ of, strategy = "object", expression }: JsonObject, scope: Scope): Json {
  if (of === null || typeof of !== "object" || Array.isArray(of)) throw new SignalboxError("INVALID_INPUT");
  switch (strategy) {
    case "array":
      return Object.values(of);
    case "first":
      return Object.values(of)[0] ?? null;
    case "expression":
      return parseExpression(String(expression)).evaluate({ ...scope, item: of });
    default:
      return of;
  }
}

/** A bare expression that must be true or false. */
export function truth(source: string, scope: Scope): boolean {
  const value = parseExpression(source).evaluate(scope);
  if (typeof value === "boolean") return value;
  throw new SignalboxError("EXPRESSION_FAILED", `"${source}" gives no boolean.`);
}

/** The rounds a loop asks for; null where its condition says. */
export function roundsOf({ loopType, over, count, maxIterations }: JsonObject): { items: Json[] | null; length: number | null } {
  if (loopType === "for_each" && !Array.isArray(over)) throw new SignalboxError("INVALID_INPUT");
  const items = loopType === "for_each" ? (over as Json[]) : null;
  const length = items?.length ?? (loopType === "count" ? Number(count) : null);
  if (length !== null && (!Number.isInteger(length) || length < 0)) throw new SignalboxError("INVALID_INPUT");
  if (length !== null && length > Number(maxIterations)) throw new SignalboxError("LOOP_LIMIT_EXCEEDED");
  return { items, length };
}
