import { z } from "zod";
import { defineStep } from "../../../../src/steps/step.ts";

/** Tells a ledger that it began, and takes as long as the ledger says: a step that a stop may come upon. */
export default defineStep({
  type: "slow",
  title: "Slow",
  description: "Work of a given length, for tests.",
  group: "Work",
  config: z.strictObject({ ledger: z.url() }),
  async run({ config, idempotencyKey, signal }) {
    const answer = await fetch(config.ledger, { method: "POST", body: idempotencyKey, signal });
    const ms = Number(await answer.text());
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(resolve, ms);
      signal.addEventListener("abort", () => {
        clearTimeout(timer);
        reject(signal.reason as Error);
      });
    });
    return { kind: "done", output: { ms } };
  },
});
