import { Environment, type ASTNode } from "@marcbachmann/cel-js";
import { matchesPattern } from "./regex.ts";

/** Every root name of the language. Which of them is there depends on the place; the checker knows. */
export const ROOT_NAMES = ["input", "vars", "steps", "output", "error", "trigger", "event", "item", "index", "execution"] as const;

/** 2,000 nodes and 40 levels are ten times what people write; 250 levels (the library's own bound) overflowed no stack either. */
const LIMITS = { maxAstNodes: 2_000, maxDepth: 40, maxListElements: 200, maxMapEntries: 200, maxCallArguments: 16 };

const ARITHMETIC: Record<string, (left: number, right: number) => number> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  "%": (left, right) => left % right,
};

/** CEL as this service speaks it: our root names, mixed arithmetic, RE2; no clock, no random, no `optional`. */
export const expressionEnvironment = createEnvironment();

function createEnvironment(): Environment {
  const environment = new Environment({ homogeneousAggregateLiterals: false, limits: LIMITS });
  for (const name of ROOT_NAMES) environment.registerVariable(name, "dyn");
  // JSON numbers are doubles and literals are ints: without these `input.amount + 1` has no overload.
  for (const [operator, compute] of Object.entries(ARITHMETIC)) {
    environment.registerOperator(`int ${operator} double: double`, (left: bigint, right: number) => compute(Number(left), right));
    environment.registerOperator(`double ${operator} int: double`, (left: number, right: bigint) => compute(left, Number(right)));
  }
  environment.registerOperator("double % double", ARITHMETIC["%"]!);
  environment.registerFunction("re2(string, string): bool", matchesPattern, { async: false });
  environment.registerFunction("string.re2(string): bool", matchesPattern, { async: false });
  return environment;
}

const MACROS_WITH_VARIABLE = new Set(["all", "exists", "exists_one", "map", "filter"]);
const NAMESPACES = new Set(["google", "cel", "optional"]);

/** True for `list.map(x, ...)` and its like: its first argument names a variable. */
export function isComprehension(node: ASTNode): boolean {
  return node.op === "rcall" && MACROS_WITH_VARIABLE.has(node.args[0]) && node.args[2].length >= 2;
}

/** The nodes right below a node, as written. */
export function childrenOf(node: ASTNode): readonly ASTNode[] {
  switch (node.op) {
    case "value":
    case "id":
      return [];
    case ".":
    case ".?":
      return [node.args[0]];
    case "call":
      return node.args[1];
    case "rcall":
      return [node.args[1], ...node.args[2]];
    case "map":
      return node.args.flat();
    case "!_":
    case "-_":
      return [node.args];
    default:
      return node.args;
  }
}

/** Root names and the ids in `steps.<id>`, without the variables of comprehensions. */
export function namesOf(root: ASTNode): { names: Set<string>; stepIds: Set<string> } {
  const names = new Set<string>();
  const stepIds = new Set<string>();
  visit(root, new Set());
  return { names, stepIds };

  function visit(node: ASTNode, bound: ReadonlySet<string>): void {
    if (node.op === "id") {
      if (!bound.has(node.args) && !NAMESPACES.has(node.args)) names.add(node.args);
      return;
    }
    const stepId = stepIdOf(node, bound);
    if (stepId !== undefined) stepIds.add(stepId);
    if (isComprehension(node) && node.op === "rcall") {
      const [variable, ...bodies] = node.args[2];
      visit(node.args[1], bound);
      const inner = variable?.op === "id" ? new Set(bound).add(variable.args) : bound;
      for (const body of bodies) visit(body, inner);
      return;
    }
    for (const child of childrenOf(node)) visit(child, bound);
  }
}

function stepIdOf(node: ASTNode, bound: ReadonlySet<string>): string | undefined {
  if (node.op !== "." && node.op !== "[]") return undefined;
  const object = node.args[0];
  if (object.op !== "id" || object.args !== "steps" || bound.has("steps")) return undefined;
  if (node.op === ".") return node.args[1];
  const key = node.args[1];
  return key.op === "value" && typeof key.args === "string" ? key.args : undefined;
}
