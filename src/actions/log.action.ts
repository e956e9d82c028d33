import { z } from "zod";
import { JsonRecord } from "../definition/json.ts";
import { defineAction } from "./action.ts";

export default defineAction({
  name: "log",
  title: "Log",
  description: "Writes a line into the service's log.",
  input: z.strictObject({
    message: z.string().min(1).max(1_000),
    fields: JsonRecord.default({}).describe("Written beside it; the log is read by operators, so no personal data"),
  }),
  effect: "idempotent",
  run({ input, log }) {
    log(input.message, { fields: input.fields });
    return null;
  },
});
