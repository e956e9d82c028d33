import { Environment, type ASTNode, type ParseResult } from "@marcbachmann/cel-js";
import { guardExpression } from "./limits.ts";
import { meterExpression } from "./meter.ts";
import { childrenOf } from "./nodes.ts";
import { matchesPattern } from "./regex.ts";

/** Every root name of the language. Which of them is there depends on the place; the checker knows. */
export const ROOT_NAMES = ["input", "vars", "steps", "output", "error", "trigger", "event", "item", "index", "execution"] as const;
export type RootName = (typeof ROOT_NAMES)[number];

/** Ten times what people write; the library's own 100,000 nodes and 250 levels are a tool for whoever wants to stop this one. */
const LIMITS = { maxAstNodes: 2_000, maxDepth: 40, maxListElements: 200, maxMapEntries: 200, maxCallArguments: 16 };

const ARITHMETIC: Record<string, (left: number, right: number) => number> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  "%": remainder,
};

const language = createLanguage();
const untyped = withNames({});

/** A parsed and checked expression of our language; every name has the type `dyn`. Throws CEL's ParseError or TypeError. */
export function compileCel(source: string): ParseResult {
  const parsed = untyped.parse(source);
  guardExpression(parsed.ast);
  loosenBranches(parsed.ast);
  const checked = parsed.check();
  if (!checked.valid) throw checked.error;
  meterExpression(parsed.ast);
  return parsed;
}

/** Names of the functions an expression may call. */
export function functionNames(): readonly string[] {
  const names = language.getDefinitions().functions.map(({ name }) => name);
  return [...new Set(names)].filter((name) => name !== "matches");
}

/** Known fields of root names and their CEL types. */
export type Shapes = Partial<Record<RootName, Record<string, string>>>;

/** The CEL type of an expression, or the first contradiction in it. */
export type CelType = { type: string; error?: undefined } | { type?: undefined; error: unknown };

/**
 * Finds the types of expressions where the fields of some names are known. A name that an expression uses as a whole
 * (`size(vars)`) has no known fields in it. Checking only: typed names would cost a conversion of the scope at every evaluation.
 */
export function createTypeFinder(shapes: Shapes): (source: string, wholeNames: ReadonlySet<string>) => CelType {
  const environments = new Map<string, Environment>();
  return (source, wholeNames) => {
    const names = ROOT_NAMES.filter((name) => shapes[name] && !wholeNames.has(name));
    const key = names.join();
    let environment = environments.get(key);
    if (!environment) {
      environment = loosened(withNames(Object.fromEntries(names.map((name) => [name, shapes[name]]))));
      environments.set(key, environment);
    }
    const parsed = environment.parse(source);
    loosenBranches(parsed.ast);
    const { valid, type, error } = parsed.check();
    return valid && type !== undefined ? { type } : { error };
  };
}

/**
 * What is right in JSON although the types differ: a variable that was never written is null, and a number may be looked for among
 * integers. Evaluation knows both by itself; declared there, the overloads would overlap with its own.
 */
function loosened(environment: Environment): Environment {
  for (const type of ["string", "double", "bool", "list", "map"]) environment.registerOperator(`${type} == null`, () => false);
  environment.registerOperator("double in list<int>", () => false);
  environment.registerOperator("int in list<double>", () => false);
  return environment;
}

function withNames(shapes: Shapes): Environment {
  const environment = language.clone();
  for (const name of ROOT_NAMES) {
    const shape = shapes[name];
    if (shape) environment.registerVariable(name, { schema: shape });
    else environment.registerVariable(name, "dyn");
  }
  return environment;
}

/** CEL as this service speaks it: mixed arithmetic and RE2; no clock, no random, no `optional`. */
function createLanguage(): Environment {
  const environment = new Environment({ homogeneousAggregateLiterals: false, limits: LIMITS });
  // JSON numbers are doubles and literals are ints: without these `input.amount + 1` has no overload.
  for (const [operator, compute] of Object.entries(ARITHMETIC)) {
    environment.registerOperator(`int ${operator} double: double`, (left: bigint, right: number) => compute(Number(left), right));
    environment.registerOperator(`double ${operator} int: double`, (left: number, right: bigint) => compute(left, Number(right)));
  }
  environment.registerOperator("double % double", remainder);
  environment.registerOperator("int == double", (left: bigint, right: number) => Number(left) === right);
  environment.registerFunction("re2(string, string): bool", matchesPattern, { async: false });
  environment.registerFunction("string.re2(string): bool", matchesPattern, { async: false });
  return environment;
}

function remainder(left: number, right: number): number {
  return left % right;
}

/** Lets `has(x.y) ? x.y : null` and the like have branches of two types: JSON knows no common type for them either. */
function loosenBranches(node: ASTNode): void {
  for (const child of childrenOf(node)) loosenBranches(child);
  if (node.op !== "?:") return;
  const { check } = node.meta;
  node.setMeta("check", (checker, ast, context) => {
    try {
      return check(checker, ast, context);
    } catch (error) {
      if ((error as { code?: unknown }).code === "incompatible_ternary_branches") return checker.getType("dyn");
      throw error;
    }
  });
}
