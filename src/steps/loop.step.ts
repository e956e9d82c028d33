import { z } from "zod";
import { JsonValue, type Json } from "../definition/json.ts";
import { Cel, StepId } from "../definition/step.ts";
import { SignalboxError } from "../errors.ts";
import { defineStep } from "./step.ts";

const Config = z.strictObject({
  loopType: z.enum(["for_each", "while", "count"]),
  over: JsonValue.optional().describe('for_each: the list, for example "${ input.items }"'),
  while: Cel.optional().describe("while: asked before each round"),
  count: z
    .union([z.number().int().min(0), z.string()])
    .optional()
    .describe("count: how many rounds"),
  maxIterations: z.number().int().min(1).max(100_000).describe("Rounds at most; one more is LOOP_LIMIT_EXCEEDED"),
  body: StepId.describe("First step of the body; the body ends at a step with `nextSteps: []`"),
  itemVariable: z.string().max(64).optional().describe("A declared variable that holds the item too; `item` and `index` are always there"),
  indexVariable: z.string().max(64).optional().describe("A declared variable that holds the round's number too, from 0"),
  concurrency: z.number().int().min(1).max(100).default(1).describe("Rounds at once, for for_each and count"),
  onItemError: z.enum(["fail", "continue"]).default("fail").describe("continue: a failed round is a result"),
});

export default defineStep({
  type: "loop",
  title: "Loop",
  description: "Runs its body for every item, a number of times, or while a condition holds.",
  group: "Flow",
  config: Config,
  expressions: ["/while"],
  runsRounds: true,
  // Lanes are nodes of the graph, so their number is read from the definition, never from an expression.
  // A definition as written may leave it out.
  regions: ({ body, ...given }) => Array.from({ length: lanesOf(given) }, (_, lane) => ({ name: String(lane), start: body, end: null })),
  check(config) {
    const field = { for_each: "over", while: "while", count: "count" }[config.loopType] as "over" | "while" | "count";
    const issues =
      config[field] === undefined
        ? [{ code: "INVALID_CONFIG", pointer: `/config/${field}`, message: `A ${config.loopType} loop needs \`${field}\`.` }]
        : [];
    if (config.loopType === "while" && config.concurrency > 1) {
      issues.push({ code: "INVALID_CONFIG", pointer: "/config/concurrency", message: "Rounds of a while loop follow one another." });
    }
    return issues;
  },
  run({ config }) {
    const items = config.loopType === "for_each" ? listOf(config.over ?? null) : null;
    const count = config.loopType === "count" ? countOf(config.count) : null;
    const rounds = items?.length ?? count ?? 0;
    if (rounds > config.maxIterations) {
      throw new SignalboxError("LOOP_LIMIT_EXCEEDED", `${rounds} rounds are asked for, ${config.maxIterations} are allowed.`, {
        details: { rounds, maxIterations: config.maxIterations },
      });
    }
    return {
      kind: "split",
      split: {
        quorum: config.concurrency,
        onError: "failFast",
        loop: {
          items,
          count,
          condition: config.loopType === "while" ? (config.while ?? null) : null,
          maxIterations: config.maxIterations,
          onItemError: config.onItemError,
          itemVariable: config.itemVariable ?? null,
          indexVariable: config.indexVariable ?? null,
        },
      },
    };
  },
  gather(_context, lanes) {
    // A lane's output is the list of its rounds, see rounds.ts.
    const rounds = lanes.flatMap(
      ({ output }) => output as unknown as { index: number; output?: Json; error?: { code: string; message: string } }[],
    );
    const ordered = rounds.toSorted((left, right) => left.index - right.index);
    const errors = ordered.flatMap(({ index, error }) => (error ? [{ index, ...error }] : []));
    return { kind: "done", output: { count: ordered.length, results: ordered.map(({ output }) => output ?? null), errors } };
  },
});

function listOf(value: Json): Json[] {
  if (Array.isArray(value)) return value;
  throw new SignalboxError("INVALID_INPUT", "`over` is no list.");
}

function countOf(value: number | string | undefined): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 0) return count;
  throw new SignalboxError("INVALID_INPUT", "`count` is no whole number.");
}

function lanesOf({ concurrency }: { concurrency?: number }): number {
  return concurrency ?? 1;
}
