import { z } from "zod";
import { JsonRecord } from "../definition/json.ts";
import { schemaIssues } from "./data-schema.ts";
import { defineTrigger } from "./trigger.ts";

export default defineTrigger({
  type: "event",
  title: "Event",
  description: "A CloudEvent of one type, whichever way it comes in.",
  config: z.strictObject({
    eventType: z.string().min(1).max(255).describe("`type` of the events it listens to, as it is written"),
    source: z.string().min(1).max(1_024).optional().describe("Only events of this source"),
    schema: JsonRecord.optional().describe("JSON Schema of `event.data`"),
  }),
  wake: ({ eventType, source }) => ({ on: "event", eventType, source }),
  dataSchema: ({ schema }) => schema,
  check: ({ schema }) => schemaIssues(schema),
});
