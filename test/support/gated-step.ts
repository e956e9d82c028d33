import { expect } from "vitest";
import { z } from "zod";
import type { Json } from "../../src/definition/json.ts";
import { SignalboxError } from "../../src/errors.ts";
import { defineStep, type StepType } from "../../src/steps/step.ts";

/** A step that waits for the test to let it go on, or fail, by name. */
export function gatedStep() {
  const calls: { step: string; key: string; attempt: number }[] = [];
  const gates: { step: string; open: (value: Json) => void; fail: () => void; signal: AbortSignal }[] = [];
  const type = defineStep({
    type: "gated",
    title: "Gated",
    description: "For tests",
    group: "Work",
    config: z.record(z.string(), z.unknown()),
    run: ({ step, idempotencyKey, attempt, signal }) => {
      calls.push({ step: step.id, key: idempotencyKey, attempt });
      return new Promise((resolve, reject) =>
        gates.push({
          step: step.id,
          signal,
          open: (value) => resolve({ kind: "done", output: value }),
          fail: () => reject(new SignalboxError("STEP_FAILED", "The test let it fail.")),
        }),
      );
    },
  });
  const gate = async (index: number) => {
    await expect.poll(() => gates.length).toBeGreaterThan(index);
    const found = gates[index];
    if (!found) throw new Error("no gate");
    return found;
  };
  return { type: type as StepType, calls, gate };
}

export const twoSteps = {
  id: "two",
  name: "Two",
  steps: [
    { id: "a", type: "gated", nextSteps: ["b"] },
    { id: "b", type: "gated" },
  ],
  output: { a: "${ steps.a.output }", b: "${ steps.b.output }" },
};
