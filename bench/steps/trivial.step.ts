import { z } from "zod";
import { defineStep } from "../../src/steps/step.ts";

export default defineStep({
  type: "trivial",
  title: "Trivial",
  description: "Does nothing worth mentioning, but nobody can know: it counts as a step with effects.",
  group: "Work",
  config: z.strictObject({ n: z.number() }),
  run: async ({ config }) => ({ kind: "done", output: { n: config.n + 1 } }),
});
