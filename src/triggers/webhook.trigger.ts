import { z } from "zod";
import { Duration } from "../definition/duration.ts";
import { JsonRecord } from "../definition/json.ts";
import { schemaIssues } from "./data-schema.ts";
import { defineTrigger } from "./trigger.ts";

const SecretRef = z
  .string()
  .regex(/^(env:SIGNALBOX_SECRET_[A-Z0-9_]{1,64}|file:[A-Za-z0-9][\w.-]{0,127})$/, "must be env:SIGNALBOX_SECRET_<NAME> or file:<name>")
  .describe("Where the secret is; never the secret itself");
const SecretRefs = z.array(SecretRef).min(1).max(2).describe("Two while one replaces the other: either is taken");
const Header = z
  .string()
  .regex(/^[A-Za-z0-9-]{1,64}$/)
  .toLowerCase();

export default defineTrigger({
  type: "webhook",
  title: "Webhook",
  description: "A request to /hooks/{tenant}/{path}.",
  config: z.strictObject({
    path: z
      .string()
      .regex(/^[a-z0-9][a-z0-9_-]*(\/[a-z0-9][a-z0-9_-]*)*$/, "must hold lowercase letters, digits, _ and -, in parts parted by /")
      .max(128)
      .describe("Below /hooks/{tenant}/; one trigger of the tenant's active workflows may have it"),
    auth: z.discriminatedUnion("type", [
      z.strictObject({
        type: z.literal("hmac"),
        secrets: SecretRefs,
        signatureHeader: Header.default("x-signalbox-signature"),
        timestampHeader: Header.default("x-signalbox-timestamp"),
        tolerance: Duration.default("5m").describe("How far the timestamp may be from now, either way"),
      }),
      z.strictObject({ type: z.literal("bearer"), secrets: SecretRefs }),
      z.strictObject({ type: z.literal("none") }),
    ]),
    respond: z.enum(["ack", "wait"]).default("ack").describe("wait: answer with the execution's end, after 30 s at most"),
    schema: JsonRecord.optional().describe("JSON Schema of the body"),
  }),
  wake: ({ path, auth, respond }) => ({ on: "request", path, auth, respond }),
  dataSchema: ({ schema }) => schema,
  check: ({ schema }) => schemaIssues(schema),
});
