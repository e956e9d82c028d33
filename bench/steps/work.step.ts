import { z } from "zod";
import { defineStep } from "../../src/steps/step.ts";
import { finishWork } from "./ledger.ts";

export default defineStep({
  type: "work",
  title: "Work",
  description: "Takes its time and leaves a line in a ledger.",
  group: "Work",
  config: z.strictObject({ ms: z.number(), run: z.number() }),
  async run({ config, step }) {
    await finishWork(String(config.run), step.id, config.ms);
    return { kind: "done" };
  },
});
