import type { ASTNode } from "@marcbachmann/cel-js";
import { SignalboxError } from "../../errors.ts";
import { didYouMean } from "../closest-name.ts";
import { functionNames, ROOT_NAMES } from "./environment.ts";

/**
 * Anything CEL throws as EXPRESSION_FAILED with `details {expression, line, column, reason, hint?}`, both numbers from 1; the hint is
 * what to do about a usual mistake and ends the message too.
 */
export function celFailure(source: string, error: unknown): SignalboxError {
  if (error instanceof SignalboxError) return error;
  const { code, summary, start, node } = read(error);
  const before = source.slice(0, start).split("\n");
  const line = before.length;
  const column = (before.at(-1)?.length ?? 0) + 1;
  const expression = source.length > 200 ? `${source.slice(0, 200)}…` : source;
  const hint = HINTS[code]?.(source, node);
  const fact = `${readable(summary)} at line ${line}, column ${column} of \`${expression}\`.`;
  return new SignalboxError("EXPRESSION_FAILED", hint === undefined ? fact : `${fact} ${hint}`, {
    details: { expression, line, column, reason: code, ...(hint === undefined ? {} : { hint }) },
    cause: error,
  });
}

/** What the library's errors have; a RangeError of a function it calls has only a message. */
interface CelErrorShape {
  code?: string;
  summary?: string;
  message?: string;
  range?: { start: number };
  node?: ASTNode;
}

function read(error: unknown): { code: string; summary: string; start: number; node: ASTNode | undefined } {
  const { code, summary, message, range, node } = (typeof error === "object" && error !== null ? error : {}) as CelErrorShape;
  return {
    code: typeof code === "string" ? code : "evaluation_error",
    summary: [summary, message].find((text) => typeof text === "string") ?? "The expression failed",
    start: range?.start ?? 0,
    node,
  };
}

type Hint = (source: string, node: ASTNode | undefined) => string | undefined;

const HINTS: Record<string, Hint | undefined> = {
  no_such_key: (source, node) => {
    if (node?.op === "[]") return `Where it may be missing, ask first: key in ${textOf(source, node.args[0])}`;
    return `Where it may be missing, ask first: has(${node ? textOf(source, node) : "path.key"})`;
  },
  index_out_of_bounds: () => "Ask for size(list) first.",
  no_such_overload: () => "Both sides must have types that go together; convert with string(...), int(...) or double(...).",
  no_matching_overload: (_source, node) => {
    const name = node?.op === "call" || node?.op === "rcall" ? node.args[0] : "";
    return functionNames().includes(name) ? `${name}() does not take these types.` : didYouMean(name, functionNames());
  },
  unknown_variable: (_source, node) =>
    didYouMean(node?.op === "id" ? node.args : "", ROOT_NAMES) ?? `Names are ${ROOT_NAMES.join(", ")}; text stands in quotes.`,
};

function textOf(source: string, node: ASTNode): string {
  return source.slice(node.start, node.end);
}

/** The lexer's words for what a person sees. */
const TOKENS: Record<string, string> = {
  EOF: "the end",
  LPAREN: "(",
  RPAREN: ")",
  LBRACKET: "[",
  RBRACKET: "]",
  LBRACE: "{",
  RBRACE: "}",
  COMMA: ",",
  COLON: ":",
  DOT: ".",
  QUESTION: "?",
  IDENTIFIER: "a name",
};

function readable(summary: string): string {
  const text = summary.replace(/\.$/, "").replace(/\b[A-Z]{3,}\b/g, (word) => TOKENS[word] ?? word);
  return /^\w+\(/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
}
