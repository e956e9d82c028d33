import type { ASTNode } from "@marcbachmann/cel-js";
import { MAX_WORK, spend } from "./budget.ts";
import { childrenOf, isComprehension, sizeOf } from "./nodes.ts";

const ORDERING: ReadonlySet<string> = new Set(["<", "<=", ">", ">="]);

/**
 * Makes a checked expression pay for what takes time in proportion to data: a comprehension before its first item (items times
 * nodes of its body), joined strings and lists, deep comparisons, calls. CEL alone bounds nothing here: two nested maps over
 * 3,000 items are 9 million steps.
 */
export function meterExpression(root: ASTNode): void {
  visit(root, false);

  function visit(node: ASTNode, isRepeated: boolean): void {
    if (isComprehension(node)) {
      const bodies = node.args[2].slice(1);
      const bodySize = bodies.reduce((sum, body) => sum + sizeOf(body), 2);
      visit(node.args[1], isRepeated);
      observe(node.args[1], (value) => spend(lengthOf(value) * bodySize));
      for (const body of bodies) visit(body, true);
      return;
    }
    for (const child of childrenOf(node)) visit(child, isRepeated);
    meterNode(node, isRepeated);
  }
}

function meterNode(node: ASTNode, isRepeated: boolean): void {
  if (node.op === "+") observe(node, spendExtent);
  else if (node.op === "==" || node.op === "!=") meterEquality(node.args);
  else if (node.op === "in") observe(node.args[1], node.args[0].op === "value" ? spendExtent : spendWeight);
  else if (ORDERING.has(node.op) && isRepeated) for (const operand of variableOnes(childrenOf(node))) observe(operand, spendText);
  else if (node.op === "call") meterCall(node, node.args[0], node.args[1]);
  else if (node.op === "rcall") {
    const [name, receiver, operands] = node.args;
    if (name === "join" && operands[0]) meterJoin(receiver, operands[0]);
    meterCall(node, name, [receiver, ...operands]);
  }
}

/** Beside a literal the other side is looked at for an instant; two values may be compared to the last leaf. */
function meterEquality(operands: readonly ASTNode[]): void {
  if (variableOnes(operands).length === operands.length) for (const operand of operands) observe(operand, spendWeight);
}

function meterCall(node: ASTNode, name: string, operands: readonly ASTNode[]): void {
  if (node.meta.macro) return;
  const isSize = name === "size";
  for (const operand of variableOnes(operands)) observe(operand, isSize ? spendCounting : spendExtent);
  if (!isSize) observe(node, spendExtent);
}

function variableOnes(operands: readonly ASTNode[]): readonly ASTNode[] {
  return operands.filter(({ op }) => op !== "value");
}

/** `list.join(separator)` can be far longer than both: it pays before it is built. */
function meterJoin(list: ASTNode, separator: ASTNode): void {
  let items: number | undefined;
  let length: number | undefined;
  observe(list, (value) => pay((items = lengthOf(value)), length));
  observe(separator, (value) => pay(items, (length = typeof value === "string" ? value.length : 0)));

  function pay(count: number | undefined, characters: number | undefined): void {
    if (count === undefined || characters === undefined) return;
    items = length = undefined;
    spend((count * characters) / 16);
  }
}

function observe(node: ASTNode, look: (value: unknown) => void): void {
  const target = node.meta.alternate ?? node;
  if (target.meta.macro) return;
  const evaluate = target.meta.evaluate;
  target.setMeta("evaluate", (evaluator, ast, context) => {
    const value = evaluate(evaluator, ast, context);
    look(value);
    return value;
  });
}

function lengthOf(value: unknown): number {
  if (Array.isArray(value)) return value.length;
  return typeof value === "object" && value !== null ? itemsOf(value).length : 0;
}

function itemsOf(value: object): readonly unknown[] {
  return value instanceof Map ? [...value.values()] : Object.values(value);
}

/** A string costs a sixteenth of its characters (copying one takes that much less than a node), a list its items. */
function spendExtent(value: unknown): void {
  if (typeof value === "string") spend(value.length / 16);
  else if (Array.isArray(value)) spend(value.length);
  else if (value instanceof Uint8Array) spend(value.length / 16);
}

/** `size()` walks strings and maps but knows the length of a list. */
function spendCounting(value: unknown): void {
  if (typeof value === "string") spend(value.length / 8);
  else if (!Array.isArray(value)) spend(lengthOf(value));
}

function spendText(value: unknown): void {
  if (typeof value === "string") spend(value.length / 256);
}

function spendWeight(value: unknown): void {
  if (typeof value === "object" && value !== null) spend(weightOf(value));
  else spendText(value);
}

const weights = new WeakMap<object, number>();

/** Nodes of a JSON value, at most as many as the whole budget. Remembered, because scopes do not change. */
function weightOf(root: object): number {
  const known = weights.get(root);
  if (known !== undefined) return known;
  let weight = 0;
  const open: unknown[] = [root];
  while (open.length > 0 && weight <= MAX_WORK) {
    const value = open.pop();
    weight += typeof value === "string" ? 1 + value.length / 256 : 1;
    if (typeof value === "object" && value !== null) for (const item of itemsOf(value)) open.push(item);
  }
  weights.set(root, weight);
  return weight;
}
