import { z } from "zod";
import { SignalboxError } from "../../../src/errors.ts";
import { defineStep } from "../../../src/steps/step.ts";

export default defineStep({
  type: "cut_off",
  title: "Cut off",
  description: "Does something nobody hears the end of",
  group: "Work",
  config: z.strictObject({}),
  run() {
    throw new SignalboxError("STEP_TIMEOUT", "cut off");
  },
});
