import { appendFileSync, readFileSync } from "node:fs";
import { z } from "zod";
import { defineStep } from "../../../src/steps/step.ts";

/** Pays into a ledger file, once per key; the first time nobody hears of it. */
export default defineStep({
  type: "pay",
  title: "Pay",
  description: "Has an effect outside, and then takes its time",
  group: "Work",
  config: z.strictObject({ ledger: z.string() }),
  async run({ config, idempotencyKey }) {
    const isFirst = !readFileSync(config.ledger, "utf8").includes(idempotencyKey);
    appendFileSync(config.ledger, `${idempotencyKey}\n`);
    if (isFirst) await new Promise(() => {});
    return { kind: "done", output: "paid again" };
  },
});
