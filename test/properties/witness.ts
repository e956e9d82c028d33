import { parseExpression } from "../../src/definition/expression.ts";
import { ISSUE_CODES } from "../../src/definition/check/codes.ts";
import { pointerKeys } from "../../src/definition/pointer.ts";
import type { WorkflowDefinition } from "../../src/definition/workflow.ts";
import { splitTemplate } from "../../src/definition/template.ts";
import type { Issue } from "../../src/errors.ts";
import { explore, type WrongWay } from "./explorer.ts";

interface Refusal {
  raw: unknown;
  /** Null where what was written has no shape at all. */
  definition: WorkflowDefinition | null;
  issues: Issue[];
}

/** Every reason for a refusal has a code of the table, a place in the definition, and, where it is about the shape or an expression, somebody else who sees it. */
export function requireWitnesses({ raw, definition, issues }: Refusal): void {
  const wrongs = definition ? explore(definition) : [];
  for (const issue of issues) {
    const { code, pointer, message } = issue;
    const problem = (what: string) => new Error(`refused with ${code} at ${pointer} (${message}), but ${what}`);
    if (!Object.hasOwn(ISSUE_CODES, code)) throw problem("the code is not in the table");
    if (!leadsSomewhere(definition ?? raw, pointer)) throw problem("the pointer leads nowhere");
    if (definition && !isSeen(issue, definition, wrongs)) throw problem("nobody else sees it");
  }
}

/** The place itself exists, or the object it should be in: a missing field has a pointer too. */
function leadsSomewhere(document: unknown, pointer: string): boolean {
  const keys = pointerKeys(pointer);
  const around = valueAt(document, keys.slice(0, -1));
  return keys.length === 0 || (typeof around === "object" && around !== null);
}

function valueAt(document: unknown, keys: readonly string[]): unknown {
  return keys.reduce(
    (value, key) =>
      typeof value === "object" && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined,
    document,
  );
}

const KINDS: Partial<Record<keyof typeof ISSUE_CODES, readonly WrongWay["kind"][]>> = {
  AMBIGUOUS_NEXT_STEPS: ["two ways"],
  UNREACHABLE_ENTRY: ["two ways", "dead way"],
  UNREACHABLE_STEP: ["unreachable"],
  UNKNOWN_TARGET: ["unknown target", "unreachable"],
  REGION_LEAK: ["two flows"],
  JOIN_MISSING: ["dead end", "no join"],
  EMPTY_BRANCH: ["empty branch"],
  WRITE_CONFLICT: ["conflict", "two flows"],
  NO_END: ["endless"],
};

function isSeen({ code, pointer }: Issue, definition: WorkflowDefinition, wrongs: readonly WrongWay[]): boolean {
  const kinds = KINDS[code as keyof typeof ISSUE_CODES];
  if (kinds) return wrongs.some(({ kind }) => kinds.includes(kind));
  const { steps } = definition;
  switch (code) {
    case "DUPLICATE_STEP_ID":
      return new Set(steps.map(({ id }) => id.toLowerCase())).size < steps.length;
    case "SEVERAL_STARTS":
      return steps.filter(({ type }) => type === "start").length > 1;
    case "NO_START":
      return steps.every(({ type }) => type !== "start");
    case "UNKNOWN_NAME":
    case "UNKNOWN_VARIABLE":
    case "INVALID_EXPRESSION":
    case "TYPE_MISMATCH":
      return failsToEvaluate(valueAt(definition, pointerKeys(pointer)), definition);
    default:
      // About a config or a policy: its own schema says so.
      return true;
  }
}

/** The expression cannot be evaluated where nothing has happened yet, or gives no boolean. */
function failsToEvaluate(text: unknown, { steps, variables }: WorkflowDefinition): boolean {
  if (typeof text !== "string") return false;
  const written = steps.flatMap(({ output }) => Object.keys(output ?? {}));
  const vars = Object.fromEntries([...Object.keys(variables), ...written].map((name) => [name, variables[name]?.default ?? null]));
  const scope = {
    input: {},
    vars,
    steps: Object.fromEntries(steps.map(({ id }) => [id, { output: null, outcome: null, visits: 0 }])),
    trigger: {},
    event: null,
    execution: {},
  };
  try {
    const isTemplate = text.includes("${");
    const sources = isTemplate ? splitTemplate(text).flatMap((piece) => (typeof piece === "string" ? [] : [piece.expression])) : [text];
    return sources.map((source) => parseExpression(source).evaluate(scope)).some((value) => typeof value !== "boolean");
  } catch {
    return true;
  }
}
