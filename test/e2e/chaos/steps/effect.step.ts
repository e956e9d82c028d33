import { randomUUID } from "node:crypto";
import { z } from "zod";
import { SignalboxError } from "../../../../src/errors.ts";
import { defineStep } from "../../../../src/steps/step.ts";

/** Longest wait for the receiver, which never answers at times. */
const CALL_MS = 2_000;

export default defineStep({
  type: "effect",
  title: "Effect",
  description: "Calls a receiver outside that deduplicates by Idempotency-Key.",
  group: "Work",
  config: z.strictObject({ key: z.string() }),
  async run({ config, idempotencyKey, signal }) {
    const response = await fetch(process.env["CHAOS_RECEIVER"] ?? "", {
      method: "POST",
      // The control arm: a key that is another one each time protects nobody, and the checks must see it.
      headers: {
        "idempotency-key": process.env["CHAOS_KEY"] === "random" ? randomUUID() : idempotencyKey,
        "content-type": "application/json",
      },
      body: JSON.stringify(config),
      signal: AbortSignal.any([signal, AbortSignal.timeout(CALL_MS)]),
    }).catch((cause: unknown) => {
      throw new SignalboxError("STEP_FAILED", "The receiver did not answer.", { cause });
    });
    if (!response.ok) throw new SignalboxError("STEP_FAILED", `The receiver answered ${response.status}.`);
    return { kind: "done", output: { answer: await response.text() } };
  },
});
