import type { ASTNode } from "@marcbachmann/cel-js";

type Check = (checker: { getType(name: string): unknown }, node: ASTNode, context: unknown) => unknown;
type Evaluate = (evaluator: unknown, node: ASTNode, context: unknown) => unknown;

// Public in the library's code but missing in its types: `check` and `evaluate` are what a node runs, `alternate` is the
// comprehension a macro call became, `macro` any other expansion. Tests of the budget fail where a new version lacks them.
declare module "@marcbachmann/cel-js" {
  interface SourceLocation {
    readonly meta: { check: Check; evaluate: Evaluate; alternate?: ASTNode; macro?: unknown };
    setMeta(key: "evaluate", value: Evaluate): this;
    setMeta(key: "check", value: Check): this;
  }
}

const MACROS_WITH_VARIABLE = new Set(["all", "exists", "exists_one", "map", "filter"]);
/** Constants of the language that look like names. */
const NAMESPACES = new Set(["google", "cel", "optional"]);

type Comprehension = Extract<ASTNode, { op: "rcall" }>;

/** True for `list.map(x, ...)` and its like: its first argument names a variable. */
export function isComprehension(node: ASTNode): node is Comprehension {
  return node.op === "rcall" && MACROS_WITH_VARIABLE.has(node.args[0]) && node.args[2].length >= 2;
}

/** The nodes right below a node, as written. */
export function childrenOf(node: ASTNode): readonly ASTNode[] {
  if (node.op === "value" || node.op === "id") return [];
  if (node.op === "." || node.op === ".?") return [node.args[0]];
  if (node.op === "call") return node.args[1];
  if (node.op === "rcall") return [node.args[1], ...node.args[2]];
  if (node.op === "map") return node.args.flat();
  return node.op === "!_" || node.op === "-_" ? [node.args] : node.args;
}

/** How many nodes an expression has, as written. */
export function sizeOf(node: ASTNode): number {
  return childrenOf(node).reduce((sum, child) => sum + sizeOf(child), 1);
}

/** A way from a root name into its value, as far as it is written out: `input.order.lines[0]` is `input`, [`order`, `lines`]. */
export interface Reference {
  name: string;
  keys: readonly string[];
  start: number;
}

/** Every use of a root name, the longest written-out path of each; variables of comprehensions are no root names. */
export function referencesOf(root: ASTNode): Reference[] {
  const references: Reference[] = [];
  visit(root, new Set());
  return references;

  function visit(node: ASTNode, bound: ReadonlySet<string>): void {
    const reference = referenceAt(node);
    if (reference) {
      if (!bound.has(reference.name) && !NAMESPACES.has(reference.name)) references.push(reference);
      return;
    }
    if (isComprehension(node)) {
      const [variable, ...bodies] = node.args[2];
      visit(node.args[1], bound);
      const inner = variable?.op === "id" ? new Set(bound).add(variable.args) : bound;
      for (const body of bodies) visit(body, inner);
      return;
    }
    for (const child of childrenOf(node)) visit(child, bound);
  }
}

function referenceAt(node: ASTNode): Reference | undefined {
  if (node.op === "id") return { name: node.args, keys: [], start: node.start };
  const key = node.op === "." ? node.args[1] : node.op === "[]" ? literalKey(node.args[1]) : undefined;
  if (key === undefined || (node.op !== "." && node.op !== "[]")) return undefined;
  const object = referenceAt(node.args[0]);
  return object && { ...object, keys: [...object.keys, key] };
}

function literalKey(node: ASTNode): string | undefined {
  return node.op === "value" && typeof node.args === "string" ? node.args : undefined;
}
