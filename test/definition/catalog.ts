import { z } from "zod";
import { StepId } from "../../src/definition/step.ts";
import { createStepTypes, loadStepTypes } from "../../src/registry.ts";
import { defineStep } from "../../src/steps/step.ts";
import { loadTriggerTypes } from "../../src/triggers/trigger-types.ts";

/** Splits into branches that end at one step: a structured split as small as it can be. */
const split = defineStep({
  type: "test_split",
  title: "Split",
  description: "Branches that end at one step.",
  group: "Flow",
  config: z.strictObject({ branches: z.array(z.strictObject({ name: z.string(), start: StepId })), join: StepId.nullable().default(null) }),
  regions: ({ branches, join }) => branches.map(({ name, start }) => ({ name, start, end: join })),
  run: () => ({ kind: "done" }),
});

/** Everything a type can say about its config. */
const careful = defineStep({
  type: "test_careful",
  aliases: ["test_alias"],
  title: "Careful",
  description: "Has expressions, literals, numbers, a union and a check of its own.",
  group: "Work",
  config: z.strictObject({
    ask: z.string().optional(),
    rules: z.array(z.strictObject({ when: z.string(), note: z.string().optional() })).optional(),
    pattern: z.string().optional(),
    count: z.number().int().optional(),
    either: z.union([z.number(), z.strictObject({ at: z.number() })]).optional(),
    choice: z.union([z.strictObject({ at: z.number() }), z.strictObject({ from: z.number() })]).optional(),
    text: z.string().optional(),
    forbidden: z.boolean().optional(),
  }),
  expressions: ["/ask", "/rules/*/when"],
  literal: ["/pattern"],
  check: ({ forbidden }) => (forbidden ? [{ code: "OUT_OF_RANGE", pointer: "/config/forbidden", message: "Not this." }] : []),
  run: () => ({ kind: "done" }),
});

/** The real step types with two made for tests. */
export const catalog = createStepTypes([
  ...(await loadStepTypes()).list().map((stepType) => ({ stepType, file: "src/steps" })),
  { stepType: split, file: "test" },
  { stepType: careful, file: "test" },
]);

/** The real trigger types. */
export const triggerCatalog = await loadTriggerTypes();
