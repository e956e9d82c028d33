import { ParseError, type ASTNode } from "@marcbachmann/cel-js";
import { childrenOf, isComprehension } from "./nodes.ts";
import { compilePattern } from "./regex.ts";

/** Longest expression, characters. */
export const MAX_SOURCE = 4_096;

/** Two levels join two lists, which people need; each further level multiplies the work by a list's length. */
const MAX_NESTING = 2;

/** Keys the library drops from map literals without a word. */
const LOST_KEYS = new Set(["__proto__", "constructor", "prototype"]);

/** Refuses, before anything runs, what CEL allows and this service does not. Throws ParseError with the place. */
export function guardExpression(root: ASTNode): void {
  visit(root, 0);

  function visit(node: ASTNode, nesting: number): void {
    if (node.op === "map") for (const [key] of node.args) guardKey(key);
    if (node.op === "call" || node.op === "rcall") guardCall(node);
    if (isComprehension(node)) {
      if (nesting >= MAX_NESTING) {
        throw refused(
          node,
          "too_deep",
          `Lists may be walked ${MAX_NESTING} levels deep, not more; do a part of it in a transform step before`,
        );
      }
      visit(node.args[1], nesting);
      for (const body of node.args[2].slice(1)) visit(body, nesting + 1);
      return;
    }
    for (const child of childrenOf(node)) visit(child, nesting);
  }
}

function guardCall(node: Extract<ASTNode, { op: "call" | "rcall" }>): void {
  const [name] = node.args;
  if (name === "matches") {
    throw refused(node, "regex_refused", "matches() may take for ever on some texts; use re2(text, 'pattern'), which cannot");
  }
  if (node.op === "rcall" && name === "bind" && node.args[1].op === "id" && node.args[1].args === "cel") {
    throw refused(node, "bind_refused", "cel.bind() is not available; put the value into a variable with a transform step");
  }
  if (name === "re2") guardPattern(node, node.op === "call" ? node.args[1][1] : node.args[2][0]);
}

function guardPattern(call: ASTNode, pattern: ASTNode | undefined): void {
  if (pattern === undefined) return; // The check of types names the missing argument.
  if (pattern.op !== "value" || typeof pattern.args !== "string") {
    throw refused(call, "pattern_not_literal", "The pattern of re2() must be written out, as in re2(input.code, '^[A-Z]{3}$')");
  }
  try {
    compilePattern(pattern.args);
  } catch (error) {
    throw refused(pattern, "invalid_pattern", `The pattern is not one RE2 takes: ${error instanceof Error ? error.message : "unknown"}`);
  }
}

function guardKey(key: ASTNode): void {
  if (key.op === "value" && typeof key.args === "string" && LOST_KEYS.has(key.args)) {
    throw refused(key, "key_refused", `"${key.args}" cannot be a key of a map here`);
  }
}

function refused(node: ASTNode, code: string, message: string): ParseError {
  return new ParseError({ code, message, node });
}
