import { z } from "zod";
import { OWN_EVENT_TYPES, sourceOf } from "../definition/event.ts";
import { JsonValue } from "../definition/json.ts";
import { SignalboxError, type Issue } from "../errors.ts";
import { defineStep } from "./step.ts";

/** Largest data: the event is part of the history, and of a message. */
const MAX_DATA_BYTES = 256 * 1_024;

const Config = z.strictObject({
  type: z.string().min(1).max(255).describe("What happened, like `shop.order.shipped`"),
  data: JsonValue.default(null).describe("JSON, up to 256 KiB"),
  source: z.string().min(1).max(1_024).optional().describe("Where it happened, a URI reference; the workflow unless told"),
  subject: z.string().min(1).max(1_024).optional().describe("What it is about; the execution unless told"),
  id: z.string().min(1).max(255).optional().describe("(source, id) makes it this event; the visit's idempotency key unless told"),
});

export default defineStep({
  type: "publish_event",
  title: "Publish event",
  description: "Publishes a CloudEvent: to the triggers of the tenant's workflows, and to whoever listens outside.",
  group: "Work",
  // It only adds to what the visit's commit writes; going out is the relay's work, after that commit.
  pure: true,
  config: Config,
  check: ({ type }) => typeIssues(type),
  run(context) {
    const { type, data, subject = null } = context.config;
    const [issue] = typeIssues(type);
    if (issue) throw new SignalboxError("INVALID_INPUT", issue.message);
    const bytes = Buffer.byteLength(JSON.stringify(data));
    if (bytes > MAX_DATA_BYTES) {
      throw new SignalboxError("TOO_LARGE", `The event's data has ${bytes} bytes; ${MAX_DATA_BYTES} are allowed.`, {
        details: { bytes, limit: MAX_DATA_BYTES },
      });
    }
    const { id = context.idempotencyKey, source = sourceOf(context) } = context.config;
    context.publish({ id, source, type, subject, data });
    return { kind: "done", output: { id, source, type, subject } };
  },
});

function typeIssues(type: string): Issue[] {
  if (!type.startsWith(OWN_EVENT_TYPES)) return [];
  const message = `Types that begin with "${OWN_EVENT_TYPES}" are the service's own.`;
  return [{ code: "INVALID_CONFIG", pointer: "/config/type", message, hint: "Begin with a name of yours, like `shop.`." }];
}
