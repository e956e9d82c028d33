import fc, { type Arbitrary } from "fast-check";
import type { Json, JsonObject } from "../../src/definition/json.ts";
import { breakDefinition } from "./mutations.ts";

export interface Case {
  /** As a client would write it. */
  raw: RawWorkflow;
  input: JsonObject;
}

export interface RawWorkflow extends JsonObject {
  steps: RawStep[];
}

export interface RawStep extends JsonObject {
  id: string;
  type: string;
  config: JsonObject;
  nextSteps: Json[];
}

/** Draws numbers; fast-check shrinks each towards 0, so 0 is always the plainest choice. */
export interface Draw {
  below(count: number): number;
  /** True in `percent` of the cases, and never once shrunk. */
  chance(percent: number): boolean;
  of<T>(values: readonly T[]): T;
}

/** Steps after which only plain ones are added. */
const MAX_STEPS = 22;
const MAX_DEPTH = 3;

/** Definitions over all pure and flow step types, about a third of them broken in one or two places, each with an input. */
export const cases: Arbitrary<Case> = fc.gen().map((generate) => {
  const below = (count: number) => generate(fc.nat, { max: count - 1 });
  const draw: Draw = {
    below,
    chance: (percent) => below(100) >= 100 - percent,
    of: (values) => values[below(values.length)] as (typeof values)[number],
  };
  const raw = workflow(draw);
  const input = {
    x: draw.below(4),
    name: draw.of(["a", "b"]),
    items: Array.from({ length: draw.below(5) }, (_, index) => index),
    big: "x".repeat(9_000),
  };
  return { raw: draw.chance(35) ? breakDefinition(raw, draw) : raw, input };
});

function workflow(draw: Draw): RawWorkflow {
  const steps: RawStep[] = [];
  let ids = 0;
  const fresh = () => `s${ids++}`;
  const handler = draw.chance(8) ? "handler" : undefined;
  if (draw.chance(50)) steps.push({ id: "begin", type: "start", config: {}, nextSteps: ["s0"] });
  flow(null, 0);
  if (handler !== undefined) steps.push({ id: handler, type: "end", config: {}, nextSteps: [] });
  const text = JSON.stringify({
    name: "generated",
    variables: {
      n: { type: "number", default: 0, reducer: "sum" },
      log: { type: "array", default: [], reducer: "append" },
      high: { type: "number", reducer: "max" },
      low: { type: "number", reducer: "min" },
      once: { reducer: "first" },
      fields: { type: "object", default: {}, reducer: "merge" },
      s: { type: "string", default: "a" },
      item0: {},
      item1: {},
      item2: {},
    },
    limits: { maxSteps: 20 + draw.below(80) },
    output: { ...allVariables, at: "${ steps.@.output }", also: "${ steps.@.output }" },
    steps,
    ...(handler !== undefined
      ? { onError: { action: "goto", goto: handler } }
      : draw.chance(5)
        ? { onError: { action: "continue", value: 7 } }
        : {}),
  });
  // Which steps expressions read is drawn last, when all steps are known.
  return JSON.parse(text.replaceAll("steps.@", () => `steps.${draw.of(steps).id}`)) as RawWorkflow;

  /** A line of steps that leads to `exit`, or ends; returns its first step. */
  function flow(exit: string | null, depth: number): string {
    const line = Array.from({ length: 1 + draw.below(depth === 0 ? 4 : 3) }, fresh);
    line.forEach((id, index) => block(id, { next: line[index + 1] ?? exit, earlier: line.slice(0, index + 1), depth }));
    return line[0] as string;
  }

  interface Place {
    next: string | null;
    earlier: readonly string[];
    depth: number;
  }

  function block(id: string, place: Place): void {
    const { next, earlier, depth } = place;
    const isPlain = ids > MAX_STEPS || depth >= MAX_DEPTH;
    const kind = draw.of(isPlain ? PLAIN : ALL);
    // Reserved now, so that steps stand in the order they are read.
    const step: RawStep = { id, type: "transform", config: { set: { v: value() } }, nextSteps: next === null ? [] : [next] };
    steps.push(step);
    if (kind === "back" && next !== null) step.nextSteps.unshift({ to: draw.of(earlier), when: condition() });
    if (kind === "delay") Object.assign(step, { type: "delay", config: { for: "1ms" } });
    if (kind === "end" && next === null) Object.assign(step, { type: "end", config: draw.chance(40) ? { outcome: "failed" } : {} });
    if (kind === "condition") {
      const isRouting = next !== null && draw.chance(70);
      const truePath = side();
      const paths = isRouting ? { truePath, falsePath: side() } : {};
      const own = isRouting
        ? []
        : [...(truePath === undefined || next === null ? [] : [{ to: truePath, when: "output.result" }]), ...step.nextSteps];
      Object.assign(step, { type: "condition", config: { condition: condition(), ...paths }, nextSteps: own });
    }
    if (kind === "switch" && next !== null) {
      const list = Array.from({ length: 1 + draw.below(2) }, (_, equals) => ({ equals, to: side() ?? id }));
      const rest = side();
      Object.assign(step, {
        type: "switch",
        config: {
          on: draw.of(["input.x", "vars.n", "size(input.items)", "input.gone"]),
          cases: list,
          ...(rest === undefined ? {} : { default: rest }),
        },
        nextSteps: [],
      });
    }
    if (kind === "merge") Object.assign(step, { type: "merge", config: merge("${ steps.@.output }") });
    if (kind === "parallel") parallel(step, place);
    if (kind === "loop") loop(step, depth);
    decorate(step, place);

    /** Where a way beside the main one leads: on, a detour, or back. */
    function side(): string | undefined {
      const choice = draw.below(10);
      if (choice < 4 || next === null) return next ?? undefined;
      if (choice < 8 && !isPlain) return flow(next, depth + 1);
      return choice === 9 ? draw.of(earlier) : next;
    }
  }

  function parallel(step: RawStep, { next, depth }: Place): void {
    const join = fresh();
    const branches = Array.from({ length: 1 + draw.below(3) }, (_, index) => ({
      // Not in the order of the alphabet: names say nothing about the order.
      name: ["b", "a", "c"][index] as string,
      start: draw.chance(1) ? join : flow(join, depth + 1),
      ...(draw.chance(25) ? { input: value() } : {}),
    }));
    const waitFor = draw.of(["all", "all", "all", "any", "count"]);
    const requiredCount = waitFor === "count" ? { requiredCount: 1 + draw.below(branches.length) } : {};
    const config = { branches, join, waitFor, ...requiredCount, ...(draw.chance(40) ? { onBranchError: "collect" } : {}) };
    Object.assign(step, { type: "parallel", config, nextSteps: [] });
    const of = `\${ steps.${step.id}.output${draw.chance(90) ? ".results" : ""} }`;
    const joining: RawStep = {
      id: join,
      type: draw.chance(50) ? "merge" : "transform",
      config: { set: { all: of } },
      nextSteps: next === null ? [] : [next],
    };
    if (joining.type === "merge") joining.config = merge(of);
    steps.push(joining);
  }

  function loop(step: RawStep, depth: number): void {
    const loopType = draw.of(["for_each", "count", "while"]);
    const source = {
      for_each: { over: draw.of<Json>(["${ input.items }", ["p", "q"], "${ vars.log }", "${ input.x }"]) },
      count: { count: draw.of<Json>([0, 2, 3, "${ input.x }"]) },
      while: {
        while: draw.of(["vars.n < 4", "index < 2", "size(vars.log) < 3", "steps.@.visits < 2", "false", "input.gone", "input.x > 1"]),
      },
    }[loopType];
    const config = {
      loopType,
      ...source,
      maxIterations: 1 + draw.below(6),
      body: flow(null, depth + 1),
      ...(draw.chance(40) && loopType !== "while" ? { concurrency: 1 + draw.below(3) } : {}),
      ...(draw.chance(40) ? { onItemError: "continue" } : {}),
      ...(draw.chance(30) ? { itemVariable: `item${Math.min(depth, 2)}` } : {}),
    };
    Object.assign(step, { type: "loop", config });
  }

  /** What any step may have. */
  function decorate(step: RawStep, { next, earlier }: Place): void {
    const target = () => (draw.chance(25) ? draw.of(earlier) : (next ?? undefined));
    if (draw.chance(12)) step["conditions"] = [condition()];
    if (draw.chance(35)) step["output"] = Object.fromEntries(Array.from({ length: 1 + draw.below(2) }, () => write()));
    if (draw.chance(6)) step["maxVisits"] = 1 + draw.below(3);
    if (draw.chance(12)) {
      const to = target();
      const action = draw.of(["continue", "goto", "fail"]);
      step["onError"] =
        action === "goto" && to !== undefined
          ? { action, goto: to }
          : action === "continue"
            ? { action, value: draw.of<Json>([0, "rescued"]) }
            : { action: "fail" };
    }
    // A way out of a step that ends its path keeps it from ending there.
    if (step.type === "end" || (next === null && !draw.chance(10))) return;
    if (draw.chance(15))
      add({
        on: "error",
        ...(draw.chance(30) ? { when: draw.of(['error.code == "EXPRESSION_FAILED"', 'error.code != "NO_ROUTE"', "error.gone"]) } : {}),
      });
    if (draw.chance(4)) add({ on: "skipped" });
    if (draw.chance(4) && next !== null && step.type !== "parallel") step.nextSteps.unshift({ to: next, when: condition() });

    function add(way: JsonObject): void {
      const to = target();
      if (to !== undefined) step.nextSteps.push({ to, ...way });
    }
  }

  function merge(of: string): JsonObject {
    const strategy = draw.of(["object", "array", "first", "expression"]);
    return { of, strategy, ...(strategy === "expression" ? { expression: draw.of(["size(item)", "item", "item.a"]) } : {}) };
  }

  function condition(): string {
    return draw.of(CONDITIONS);
  }

  function value(): Json {
    return draw.of(VALUES);
  }

  function write(): [string, Json] {
    return draw.of(draw.chance(30) ? REPLACING : JOINING);
  }
}

const PLAIN = ["transform", "transform", "back", "delay", "end"] as const;
const ALL = [...PLAIN, "transform", "condition", "switch", "merge", "parallel", "parallel", "loop", "loop"] as const;

// Some of them fail where they stand: there is no `input.gone`, and `item` and `index` are in regions only.
const CONDITIONS = [
  "true",
  "false",
  "input.x > 1",
  "input.x == 2",
  "vars.n < 3",
  "vars.n > 2",
  "vars.s == 'a'",
  "size(vars.log) < 2",
  "steps.@.output != null",
  "steps.@.visits < 2",
  "has(input.gone)",
  "index < 2",
  "item == 1",
  "input.gone == 1",
];
const VALUES: readonly Json[] = [
  1,
  "text",
  null,
  "${ vars.n + 1 }",
  "${ input.x }",
  "${ steps.@.output }",
  "x${ input.x }y",
  "${ vars.s }",
  "${ vars.item0 }",
  "${ vars.item1 }",
  "${ index }",
  "${ item }",
  "${ input.gone }",
  "${ input.big }",
  "${ 1 / (vars.n - 1) }",
];
const JOINING: readonly [string, Json][] = [
  ["n", 1],
  ["n", "${ input.x }"],
  ["log", ["x"]],
  ["log", "${ [vars.n] }"],
  ["log", "${ index }"],
  ["high", "${ input.x }"],
  ["high", "${ vars.n }"],
  ["low", "${ vars.n }"],
  ["low", 3],
  ["once", "${ input.x }"],
  ["once", "${ vars.n }"],
  ["fields", { k: "${ vars.n }" }],
  ["fields", { l: "${ vars.s }" }],
];
const REPLACING: readonly [string, Json][] = [
  ["s", "b"],
  ["s", "${ input.name }"],
  ["last", "${ output }"],
  ["item1", "written"],
];
const allVariables = Object.fromEntries(
  ["n", "log", "high", "low", "once", "fields", "s", "item0"].map((name) => [name, `\${ vars.${name} }`]),
);
