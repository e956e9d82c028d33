import type { ASTNode } from "@marcbachmann/cel-js";
import { childrenOf, isComprehension, sizeOf } from "./nodes.ts";

/** Units of work of one evaluation; a unit is about one node evaluated. */
const MAX_WORK = 1_000_000;

let remaining = 0;
let isCounting = false;

/** Thrown as one shared object: inside `exists` CEL swallows it and goes on, and a fresh stack per item costs more than the item. */
const exhausted = Object.assign(new Error(), {
  code: "too_much_work",
  summary: `The expression takes more than ${MAX_WORK.toLocaleString("en")} operations on this data; shorten the lists it walks`,
});

/**
 * Runs an evaluation inside the bound on work: the one of the caller where there is one (all expressions of a template share
 * it), else a new one. Deterministic, unlike a deadline: a replay after a crash ends the same way.
 */
export function withBudget<T>(evaluate: () => T): T {
  if (isCounting) return evaluateCounted(evaluate);
  isCounting = true;
  remaining = MAX_WORK;
  try {
    return evaluateCounted(evaluate);
  } finally {
    isCounting = false;
  }
}

function evaluateCounted<T>(evaluate: () => T): T {
  const value = evaluate();
  // CEL may have swallowed the error (`exists`, `||`): such an answer is made of a part of the data.
  if (remaining < 0) throw exhausted;
  return value;
}

/** Takes units from the running evaluation's budget. */
export function spend(units: number): void {
  remaining -= units;
  if (remaining < 0) throw exhausted;
}

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
  switch (node.op) {
    case "+":
      return observe(node, spendExtent);
    case "==":
    case "!=":
      if (node.args.some((operand) => operand.op === "value")) return;
      for (const operand of node.args) observe(operand, spendWeight);
      return;
    case "in":
      return observe(node.args[1], node.args[0].op === "value" ? spendExtent : spendWeight);
    case "<":
    case "<=":
    case ">":
    case ">=":
      if (isRepeated) for (const operand of node.args) if (operand.op !== "value") observe(operand, spendText);
      return;
    case "call":
    case "rcall": {
      if (node.meta.macro) return;
      const operands = node.op === "call" ? node.args[1] : [node.args[1], ...node.args[2]];
      if (node.op === "rcall" && node.args[0] === "join" && node.args[2][0]) meterJoin(node.args[1], node.args[2][0]);
      const isSize = node.args[0] === "size";
      for (const operand of operands) if (operand.op !== "value") observe(operand, isSize ? spendCounting : spendExtent);
      if (!isSize) observe(node, spendExtent);
    }
  }
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
  return typeof value === "object" && value !== null ? Object.keys(value).length : 0;
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
    if (typeof value === "object" && value !== null) for (const item of Object.values(value)) open.push(item);
  }
  weights.set(root, weight);
  return weight;
}
