import { z } from "zod";
import { defineStep } from "./step.ts";

export default defineStep({
  type: "start",
  title: "Start",
  description: "Where an execution begins. Its output is the execution's input.",
  group: "Flow",
  pure: true,
  config: z.strictObject({}),
  run: ({ input }) => ({ kind: "done", output: input }),
});
