import { SignalboxError } from "../errors.ts";
import { expressionEnvironment, namesOf } from "./expression-environment.ts";
import { withBudget } from "./expression-budget.ts";
import { guardExpression } from "./expression-limits.ts";
import { jsonOfCel } from "./expression-result.ts";
import type { Json } from "./json.ts";

/** What an expression may look at: input, vars, steps, output, error, trigger, event, item, index, execution. */
export type Scope = Readonly<Record<string, unknown>>;

/** A parsed CEL expression: parsed once, evaluated often, never looks at anything but its scope. */
export interface Expression {
  readonly source: string;
  /** Root names it uses. */
  readonly names: ReadonlySet<string>;
  /** The ids of `steps.<id>` it reads, where they are written out. */
  readonly stepIds: ReadonlySet<string>;
  /** The value as JSON, in bounded time. EXPRESSION_FAILED with the place and, for a missing key, the way to test for it. */
  evaluate(scope: Scope): Json;
}

/**
 * Parses and checks one CEL expression. EXPRESSION_FAILED with `details {expression, line, column, reason}` where it is no
 * expression, uses a name that does not exist, or could run out of bounds.
 */
export function parseExpression(source: string): Expression {
  try {
    const parsed = expressionEnvironment.parse(source);
    guardExpression(parsed.ast);
    const checked = parsed.check();
    if (!checked.valid) throw checked.error;
    const { names, stepIds } = namesOf(parsed.ast);
    return {
      source,
      names,
      stepIds,
      evaluate(scope) {
        try {
          return jsonOfCel(withBudget(() => parsed(scope as Record<string, unknown>)));
        } catch (error) {
          throw expressionFailed(source, error);
        }
      },
    };
  } catch (error) {
    throw expressionFailed(source, error);
  }
}

/** Any failure of CEL as EXPRESSION_FAILED with line and column, both from 1. */
export function expressionFailed(source: string, error: unknown): SignalboxError {
  if (error instanceof SignalboxError) return error;
  const { code, summary, start, end } = celError(error);
  const { line, column } = placeOf(source, start);
  const text = hintFor(code, summary, source.slice(start, end));
  return new SignalboxError("EXPRESSION_FAILED", `${text} (line ${line}, column ${column} of: ${shortened(source)})`, {
    details: { expression: source, line, column, reason: code },
    cause: error,
  });
}

interface CelFailure {
  code: string;
  summary: string;
  start: number;
  end: number;
}

function celError(error: unknown): CelFailure {
  const { code, summary, message, range } = error as {
    code?: unknown;
    summary?: unknown;
    message?: unknown;
    range?: { start: number; end: number };
  };
  return {
    code: typeof code === "string" ? code : "evaluation_error",
    summary: typeof summary === "string" ? summary : typeof message === "string" ? message : "The expression failed",
    start: range?.start ?? 0,
    end: range?.end ?? 0,
  };
}

function hintFor(code: string, summary: string, excerpt: string): string {
  switch (code) {
    case "no_such_key":
      return `${summary}. Where it may be missing, ask first: has(${excerpt || "path.key"})`;
    case "no_such_overload":
      return /string/.test(summary) ? `${summary}. Convert with string(...), int(...) or double(...)` : summary;
    default:
      return summary;
  }
}

function placeOf(source: string, offset: number): { line: number; column: number } {
  const before = source.slice(0, offset).split("\n");
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

function shortened(source: string): string {
  return source.length > 200 ? `${source.slice(0, 200)}…` : source;
}
