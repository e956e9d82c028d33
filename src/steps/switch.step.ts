import { isDeepStrictEqual } from "node:util";
import { z } from "zod";
import { JsonValue } from "../definition/json.ts";
import { Cel, StepId } from "../definition/step.ts";
import { defineStep } from "./step.ts";

const Config = z.strictObject({
  on: Cel.describe("CEL whose value is compared"),
  cases: z
    .array(z.strictObject({ equals: JsonValue, to: StepId }))
    .min(1)
    .max(100)
    .describe("Read in order; the first equal one is taken"),
  default: StepId.optional().describe("Next step when no case fits; without it that is NO_ROUTE"),
});

export default defineStep({
  type: "switch",
  title: "Switch",
  description: "Goes on by a value. Its output is `{value, matched}`; `matched` is the index of the case, or -1.",
  group: "Flow",
  pure: true,
  config: Config,
  expressions: ["/on"],
  literal: ["/cases"],
  routes: ({ cases, default: otherwise }) => [
    ...cases.map(({ to }, index) => ({ to, when: `output.matched == ${index}` })),
    ...(otherwise === undefined ? [] : [{ to: otherwise, when: "output.matched == -1" }]),
  ],
  run({ config, evaluate }) {
    const value = evaluate(config.on);
    return { kind: "done", output: { value, matched: config.cases.findIndex(({ equals }) => isDeepStrictEqual(equals, value)) } };
  },
});
