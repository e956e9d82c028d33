import { z } from "zod";
import { SignalboxError } from "../errors.ts";
import { defineStep } from "./step.ts";

const Config = z.strictObject({
  outcome: z.enum(["completed", "failed"]).default("completed").describe("failed: the execution fails here, on purpose"),
  message: z.string().max(1_000).optional().describe("Why it failed"),
});

export default defineStep({
  type: "end",
  title: "End",
  description: "Ends the execution. Its result is the workflow's `output`.",
  aliases: ["final"],
  group: "Flow",
  pure: true,
  config: Config,
  check: (_config, step) =>
    step.nextSteps.length === 0
      ? []
      : [{ code: "INVALID_CONFIG", pointer: "/nextSteps", message: "An end step leads nowhere.", hint: "Remove its nextSteps." }],
  run({ config }) {
    if (config.outcome === "failed") throw new SignalboxError("STEP_FAILED", config.message ?? "The workflow ended as failed.");
    return { kind: "done", output: null };
  },
});
