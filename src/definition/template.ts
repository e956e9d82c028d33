import { SignalboxError } from "../errors.ts";
import { withBudget } from "./cel/budget.ts";
import { parseExpression, type Expression, type Scope } from "./expression.ts";
import type { Json } from "./json.ts";
import { pointerTo } from "./pointer.ts";

/** A JSON value whose strings may hold `${ cel }`: parsed once, evaluated once, never over data. */
export interface Template {
  readonly expressions: readonly Expression[];
  /** The value with every `${ }` replaced. EXPRESSION_FAILED with `details.pointer` into the template. */
  evaluate(scope: Scope): Json;
}

type Evaluate = (scope: Scope) => Json;

/**
 * Reads a value with `${ cel }` in its strings. A string that is exactly one `${ }` keeps the value's type, in any other string
 * the values are written out (objects as JSON, null as nothing); `$${` is a literal `${`. EXPRESSION_FAILED with
 * `details.pointer` where an expression is wrong or its `}` is missing.
 */
export function parseTemplate(value: Json): Template {
  const expressions: Expression[] = [];
  const evaluate = read(value, "");
  if (evaluate === undefined) return { expressions, evaluate: () => value };
  return { expressions, evaluate: (scope) => withBudget(() => evaluate(scope)) };

  /** Undefined where nothing is to be replaced: the value stands for itself. */
  function read(node: Json, pointer: string): Evaluate | undefined {
    if (typeof node === "string") return node.includes("${") ? readText(node, pointer) : undefined;
    if (Array.isArray(node)) return readList(node, pointer);
    return node !== null && typeof node === "object" ? readRecord(node, pointer) : undefined;
  }

  function readText(text: string, pointer: string): Evaluate {
    const pieces = at(pointer, () =>
      splitTemplate(text).map((piece) => (typeof piece === "string" ? piece : parseExpression(piece.expression))),
    );
    for (const piece of pieces) if (typeof piece !== "string") expressions.push(piece);
    const [first] = pieces;
    if (pieces.length === 1 && first !== undefined && typeof first !== "string") {
      return (scope) => at(pointer, () => first.evaluate(scope));
    }
    return (scope) =>
      at(pointer, () => pieces.map((piece) => (typeof piece === "string" ? piece : written(piece.evaluate(scope)))).join(""));
  }

  function readList(items: Json[], pointer: string): Evaluate | undefined {
    const parts = items.map((item, index) => read(item, pointerTo(pointer, index)));
    if (parts.every((part) => part === undefined)) return undefined;
    return (scope) => parts.map((part, index) => (part ? part(scope) : (items[index] as Json)));
  }

  function readRecord(fields: { [key: string]: Json }, pointer: string): Evaluate | undefined {
    const parts = Object.entries(fields).map(([key, field]) => [key, field, read(field, pointerTo(pointer, key))] as const);
    if (parts.every(([, , part]) => part === undefined)) return undefined;
    // fromEntries defines own properties, so that a key `__proto__` stays a key.
    return (scope) => Object.fromEntries(parts.map(([key, field, part]) => [key, part ? part(scope) : field]));
  }
}

/** Text and expressions of a template string, in order. Throws EXPRESSION_FAILED where a `${` is never closed. */
export function splitTemplate(text: string): (string | { expression: string })[] {
  const pieces: (string | { expression: string })[] = [];
  let literal = "";
  let position = 0;
  while (position < text.length) {
    const next = text.indexOf("$", position);
    if (next < 0) break;
    literal += text.slice(position, next);
    if (text.startsWith("$${", next)) {
      literal += "${";
      position = next + 3;
    } else if (text.startsWith("${", next)) {
      const end = endOfExpression(text, next + 2);
      if (literal) pieces.push(literal);
      literal = "";
      pieces.push({ expression: text.slice(next + 2, end).trim() });
      position = end + 1;
    } else {
      literal += "$";
      position = next + 1;
    }
  }
  literal += text.slice(position);
  if (literal || pieces.length === 0) pieces.push(literal);
  return pieces;
}

/** Index of the `}` that closes an expression; those of map literals, in quoted strings and in comments do not. */
function endOfExpression(text: string, start: number): number {
  let depth = 0;
  for (let index = start; index < text.length; index++) {
    const character = text[index];
    if (character === "'" || character === '"') index = endOfString(text, index, character);
    else if (character === "/" && text[index + 1] === "/") index = endOfLine(text, index);
    else if (character === "{") depth++;
    else if (character === "}" && depth-- === 0) return index;
  }
  throw new SignalboxError("EXPRESSION_FAILED", "A ${ is never closed by a }; write $${ for a literal ${", {
    details: { expression: text.slice(start, start + 200), line: 1, column: 1, reason: "unterminated_template" },
  });
}

/** Where the library ends a string: a backslash takes the next character with it, in raw strings as well. */
function endOfString(text: string, start: number, quote: string): number {
  const closing = text.startsWith(quote.repeat(3), start) ? quote.repeat(3) : quote;
  for (let index = start + closing.length; index < text.length; index++) {
    if (text[index] === "\\") index++;
    else if (text.startsWith(closing, index)) return index + closing.length - 1;
  }
  return text.length;
}

function endOfLine(text: string, start: number): number {
  const end = text.indexOf("\n", start);
  return end < 0 ? text.length : end;
}

function written(value: Json): string {
  if (typeof value === "string") return value;
  return value === null ? "" : JSON.stringify(value);
}

function at<T>(pointer: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof SignalboxError) || error.details["pointer"] !== undefined) throw error;
    throw new SignalboxError(error.code, error.message, { details: { ...error.details, pointer }, cause: error });
  }
}
