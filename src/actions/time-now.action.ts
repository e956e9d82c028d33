import { z } from "zod";
import { defineAction } from "./action.ts";

export default defineAction({
  name: "time.now",
  title: "Time",
  description: "Tells the time. Expressions know no clock, so that a step can be repeated; what this says is recorded.",
  input: z.strictObject({}),
  effect: "none",
  run({ now }) {
    const epochMs = now();
    return { time: new Date(epochMs).toISOString(), epochMs };
  },
});
