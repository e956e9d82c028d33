import type { ASTNode } from "@marcbachmann/cel-js";
import { SignalboxError } from "../../errors.ts";

/** Anything CEL throws as EXPRESSION_FAILED with line and column, both from 1, and what to do about the usual mistakes. */
export function celFailure(source: string, error: unknown): SignalboxError {
  if (error instanceof SignalboxError) return error;
  const { code, summary, start, node } = read(error);
  const before = source.slice(0, start).split("\n");
  const line = before.length;
  const column = (before.at(-1)?.length ?? 0) + 1;
  const advice = adviceFor(code, source, node);
  const message = `${summary.replace(/\.$/, "")} at line ${line}, column ${column} of "${shortened(source)}".${advice ? ` ${advice}` : ""}`;
  return new SignalboxError("EXPRESSION_FAILED", message, {
    details: { expression: shortened(source), line, column, reason: code },
    cause: error,
  });
}

interface CelErrorShape {
  code?: unknown;
  summary?: unknown;
  message?: unknown;
  range?: { start: number };
  node?: ASTNode;
}

function read(error: unknown): { code: string; summary: string; start: number; node: ASTNode | undefined } {
  // Errors of the library have these; a RangeError or TypeError of a function it calls has only a message.
  const { code, summary, message, range, node } = (typeof error === "object" && error !== null ? error : {}) as CelErrorShape;
  return {
    code: typeof code === "string" ? code : "evaluation_error",
    summary: String(summary ?? message ?? "The expression failed"),
    start: range?.start ?? 0,
    node,
  };
}

function adviceFor(code: string, source: string, node: ASTNode | undefined): string | undefined {
  switch (code) {
    case "no_such_key": {
      const path = node ? source.slice(node.start, node.end) : "";
      if (node?.op === "[]")
        return `Where it may be missing, ask first whether the key is in it: key in ${source.slice(node.args[0].start, node.args[0].end)}`;
      return `Where it may be missing, ask first: has(${path || "path.key"})`;
    }
    case "index_out_of_bounds":
      return "Ask for size(list) first.";
    case "no_such_overload":
      return "Both sides must have types that go together; convert with string(...), int(...) or double(...).";
    case "no_matching_overload":
      return "Look up the function's name and the types it takes.";
    case "unknown_variable":
      return "Names are input, vars, steps, output, error, trigger, event, item, index and execution; text stands in quotes.";
    default:
      return undefined;
  }
}

function shortened(source: string): string {
  return source.length > 200 ? `${source.slice(0, 200)}…` : source;
}
