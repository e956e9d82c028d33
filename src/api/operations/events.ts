import { z } from "zod";
import { JsonValue, type Json } from "../../definition/json.ts";
import { pointerTo } from "../../definition/pointer.ts";
import type { Issue } from "../../errors.ts";
import { CloudEvent, type IncomingEvent } from "../../triggers/event.ts";
import { EventReceipt } from "../../triggers/outcome.ts";
import { invalidInput, toIssues } from "../parse.ts";
import { defineOperation } from "./operation.ts";

const MAX_BATCH = 100;

export const publishEvents = defineOperation({
  name: "publishEvents",
  summary: "Hand in a CloudEvent, or a list of up to 100; each starts what listens to its type, once however often it is sent",
  noun: "events",
  kind: "mutation",
  scope: "events:publish",
  route: "POST /api/v1/events",
  status: 202,
  input: z.strictObject({ input: JsonValue.describe("A CloudEvent 1.0 in its JSON form, or a list of them") }),
  output: z.object({ receipts: z.array(EventReceipt).describe("One for each event, in order") }).meta({ id: "EventReceipts" }),
  errors: ["LIMIT_EXCEEDED"],
  async handle({ services, principal }, { input }) {
    // All are read before any is handed on: a batch with a mistake in it has done nothing.
    const events = readEvents(input);
    const receipts: EventReceipt[] = [];
    for (const event of events) receipts.push(await services.triggers.dispatch(principal.tenant, event));
    return { receipts };
  },
});

function readEvents(input: Json): IncomingEvent[] {
  const isBatch = Array.isArray(input);
  const raw = isBatch ? input : [input];
  if (raw.length > MAX_BATCH) throw invalidInput([{ code: "TOO_BIG", pointer: "", message: `must hold ${MAX_BATCH} events at most` }]);
  const events: IncomingEvent[] = [];
  const issues: Issue[] = [];
  for (const [index, item] of raw.entries()) {
    const parsed = CloudEvent.safeParse(item);
    if (parsed.success) events.push(parsed.data);
    else
      issues.push(...toIssues(parsed.error).map((issue) => ({ ...issue, pointer: (isBatch ? pointerTo("", index) : "") + issue.pointer })));
  }
  if (issues.length > 0) throw invalidInput(issues);
  return events;
}
