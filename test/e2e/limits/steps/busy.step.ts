import { appendFileSync, existsSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { z } from "zod";
import { defineStep } from "../../../../src/steps/step.ts";

const LOOK_EVERY_MS = 20;

/** Notes in a file shared by all processes that it begins and that it ends: one order for all of them, whatever their clocks. */
export default defineStep({
  type: "busy",
  title: "Busy",
  description: "Ends once `<ledger>.released` is there; leaves a line in the ledger before and after",
  group: "Work",
  config: z.strictObject({ ledger: z.string(), name: z.string() }),
  async run({ config: { ledger, name }, executionId }) {
    appendFileSync(ledger, `+ ${name} ${executionId}\n`);
    do await pause(LOOK_EVERY_MS);
    while (!existsSync(`${ledger}.released`));
    appendFileSync(ledger, `- ${name} ${executionId}\n`);
    return { kind: "done" };
  },
});
