import { z } from "zod";
import { defineTrigger } from "./trigger.ts";

export default defineTrigger({
  type: "manual",
  title: "Manual",
  description: "Fired by name only, by a person or another service.",
  config: z.strictObject({}),
  wake: () => ({ on: "nothing" }),
});
