import { z } from "zod";
import type { Json } from "../definition/json.ts";
import { JsonValue } from "../definition/json.ts";
import { StepId } from "../definition/step.ts";
import { SignalboxError } from "../errors.ts";
import { defineStep } from "./step.ts";

const Branch = z.strictObject({
  name: z.string().regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/),
  start: StepId.describe("First step of the branch"),
  input: JsonValue.optional().describe("What `item` is in the branch; strings may hold ${ cel }"),
});

const Config = z.strictObject({
  branches: z.array(Branch).min(1).max(50),
  join: StepId.describe("The step all branches lead to"),
  waitFor: z.enum(["all", "any", "count"]).default("all").describe("How many branches must complete; the others are cancelled then"),
  requiredCount: z.number().int().min(1).optional().describe("For `waitFor: count`"),
  losers: z.literal("cancel").default("cancel").describe("What becomes of branches that are not needed: they are cancelled"),
  onBranchError: z
    .enum(["failFast", "collect"])
    .default("failFast")
    .describe("failFast: the first failed branch fails the step; collect: failures are results"),
});

export default defineStep({
  type: "parallel",
  title: "Parallel",
  description: "Runs branches side by side; each goes at its own pace, waits and survives a crash on its own.",
  group: "Flow",
  config: Config,
  // Read again when the branches come together, and must say the same then.
  literal: ["/waitFor", "/requiredCount", "/losers", "/onBranchError"],
  routes: ({ join }) => [{ to: join }],
  regions: ({ branches, join }) => branches.map(({ name, start }) => ({ name, start, end: join })),
  check({ branches, waitFor, requiredCount }) {
    const issue = (pointer: string, message: string) => [{ code: "INVALID_CONFIG", pointer, message }];
    const names = branches.map(({ name }) => name);
    if (new Set(names).size < names.length) return issue("/config/branches", "Two branches have the same name.");
    if (waitFor === "count" && (requiredCount === undefined || requiredCount > branches.length)) {
      return issue("/config/requiredCount", `waitFor: count needs a requiredCount of 1 to ${branches.length}.`);
    }
    return [];
  },
  run({ config }) {
    const quorum = { all: config.branches.length, any: 1, count: config.requiredCount ?? config.branches.length }[config.waitFor];
    const items = Object.fromEntries(
      config.branches.flatMap(({ name, input }): [string, Json][] => (input === undefined ? [] : [[name, input]])),
    );
    return { kind: "split", split: { quorum, onError: config.onBranchError, items } };
  },
  gather({ step }, results) {
    // Literals, so the config as written is the config as parsed but for its default.
    const { waitFor = "all", requiredCount = 0 } = step.config as { waitFor?: "all" | "any" | "count"; requiredCount?: number };
    const completed = results.filter(({ status }) => status === "completed");
    const quorum = { all: 0, any: 1, count: requiredCount }[waitFor];
    if (completed.length < quorum) {
      throw new SignalboxError("STEP_FAILED", `${completed.length} branches completed, ${quorum} are needed.`);
    }
    return {
      kind: "done",
      output: {
        results: Object.fromEntries(completed.map(({ name, output }) => [name, output])),
        branches: Object.fromEntries(results.map(({ name, status, error }) => [name, { status, error }])),
      },
    };
  },
});
