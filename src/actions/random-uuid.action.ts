import { randomUUID } from "node:crypto";
import { z } from "zod";
import { defineAction } from "./action.ts";

export default defineAction({
  name: "random.uuid",
  title: "Random UUID",
  description: "Makes an id that nobody else has. Expressions know no random, so that a step can be repeated; this one is recorded.",
  input: z.strictObject({}),
  effect: "none",
  run: () => ({ uuid: randomUUID() }),
});
