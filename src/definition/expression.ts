import { SignalboxError } from "../errors.ts";
import { compileCel } from "./cel/environment.ts";
import { withBudget } from "./cel/budget.ts";
import { celFailure } from "./cel/failure.ts";
import { MAX_SOURCE } from "./cel/limits.ts";
import { referencesOf, type Reference } from "./cel/nodes.ts";
import { withOddFields } from "./cel/odd-fields.ts";
import { jsonOfCel } from "./cel/result.ts";
import type { Json } from "./json.ts";

/** What an expression may look at: input, vars, steps, output, error, trigger, event, item, index, execution. */
export type Scope = Readonly<Record<string, unknown>>;

/** A parsed CEL expression: parsed once, evaluated often; looks at nothing but its scope and takes a bounded time. */
export interface Expression {
  readonly source: string;
  /** Root names it uses. */
  readonly names: ReadonlySet<string>;
  /** The ids of `steps.<id>` it reads, where they are written out. */
  readonly stepIds: ReadonlySet<string>;
  /** Every use of a root name with the keys written after it. */
  readonly references: readonly Reference[];
  /** The value as JSON. EXPRESSION_FAILED with the place and, for a missing key, how to ask whether it is there. */
  evaluate(scope: Scope): Json;
}

/**
 * Parses and checks one CEL expression. EXPRESSION_FAILED with `details {expression, line, column, reason}` where it is no
 * expression, uses a name that does not exist, or something this service refuses (`cel/limits.ts`).
 *
 * @example parseExpression("input.amount > 100 && vars.tier == 'gold'").evaluate({ input, vars })
 */
export function parseExpression(source: string): Expression {
  const known = parsed.get(source);
  if (known) return known;
  const expression = parse(source);
  const [oldest] = parsed.keys();
  if (oldest !== undefined && parsed.size >= MAX_KEPT) parsed.delete(oldest);
  parsed.set(source, expression);
  return expression;
}

/** Expressions kept, oldest dropped first: steps that evaluate bare CEL hand the same few in at every visit, and parsing takes 10 us. */
const MAX_KEPT = 2_000;
const parsed = new Map<string, Expression>();

function parse(source: string): Expression {
  if (source.length > MAX_SOURCE) {
    throw new SignalboxError("EXPRESSION_FAILED", `The expression has ${source.length} characters; ${MAX_SOURCE} are allowed.`, {
      details: { expression: source.slice(0, 200), line: 1, column: 1, reason: "too_long" },
    });
  }
  const run = locating(source, () => compileCel(source));
  const references = referencesOf(run.ast);
  return {
    source,
    names: new Set(references.map(({ name }) => name)),
    stepIds: new Set(references.flatMap(({ name, keys }) => (name === "steps" && keys[0] !== undefined ? [keys[0]] : []))),
    references,
    evaluate: (scope) => locating(source, () => withBudget(() => jsonOfCel(runOn(run, scope)))),
  };
}

function runOn(run: (scope: Scope) => unknown, scope: Scope): unknown {
  try {
    return run(scope);
  } catch (error) {
    const readable = (error as { code?: unknown }).code === "unsupported_type" ? withOddFields(scope) : undefined;
    if (!readable) throw error;
    return run(readable);
  }
}

function locating<T>(source: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw celFailure(source, error);
  }
}
