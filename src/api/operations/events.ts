import { z } from "zod";
import { JsonValue, type Json } from "../../definition/json.ts";
import { DEFAULT_PAGE_SIZE, MAX_PAGE_SIZE, PageRequest } from "../../definition/page.ts";
import { pointerTo } from "../../definition/pointer.ts";
import { EventOutcome, EventReceipt, type IncomingEvent } from "../../definition/received-event.ts";
import { notFound, SignalboxError, type Issue } from "../../errors.ts";
import { replayPage } from "../../events/replay.ts";
import { CloudEvent } from "../../triggers/event.ts";
import { invalidInput, toIssues } from "../parse.ts";
import { receivedEventView, ReceivedEventView, ReplayReport } from "../views/received-event.ts";
import { defineList, defineOperation, PathId } from "./operation.ts";

const MAX_BATCH = 100;

export const publishEvents = defineOperation({
  name: "publishEvents",
  summary: "Hand in a CloudEvent, or a list of up to 100; each starts and wakes what listens to its type, once however often it is sent",
  noun: "events",
  kind: "mutation",
  scope: "events:publish",
  route: "POST /api/v1/events",
  status: 202,
  input: z.strictObject({ input: JsonValue.describe("A CloudEvent 1.0 in its JSON form, or a list of them") }),
  output: z.object({ receipts: z.array(EventReceipt).describe("One for each event, in order") }).meta({ id: "EventReceipts" }),
  errors: ["EVENT_MISMATCH", "LIMIT_EXCEEDED"],
  async handle(
    {
      services: {
        events: { ingest },
      },
      principal: { tenant },
    },
    { input },
  ) {
    // All are read before any is handed on: a batch with a mistake in it has done nothing.
    const isBatch = Array.isArray(input);
    const given = readEvents(isBatch ? input : [input], isBatch);
    const issues: Issue[] = [];
    for (const [index, event] of given.entries()) issues.push(...placed(await ingest.issues(tenant, event), index, isBatch));
    if (issues.length > 0) {
      throw new SignalboxError("EVENT_MISMATCH", `The data does not fit the event's type: ${issues[0]?.message}`, { issues });
    }
    const receipts: EventReceipt[] = [];
    for (const event of given) receipts.push(await ingest.take(tenant, event, { via: "api" }));
    return { receipts };
  },
});

function readEvents(raw: Json[], isBatch: boolean): IncomingEvent[] {
  if (raw.length > MAX_BATCH) throw invalidInput([{ code: "TOO_BIG", pointer: "", message: `must hold ${MAX_BATCH} events at most` }]);
  const events: IncomingEvent[] = [];
  const issues: Issue[] = [];
  for (const [index, item] of raw.entries()) {
    const parsed = CloudEvent.safeParse(item);
    if (parsed.success) events.push(parsed.data);
    else issues.push(...placed(toIssues(parsed.error), index, isBatch));
  }
  if (issues.length > 0) throw invalidInput(issues);
  return events;
}

function placed(issues: Issue[], index: number, isBatch: boolean): Issue[] {
  return isBatch ? issues.map((issue) => ({ ...issue, pointer: pointerTo("", index) + issue.pointer })) : issues;
}

const EventFilter = z
  .strictObject({
    type: z.string().min(1).max(255).optional(),
    source: z.string().min(1).max(1_024).optional(),
    eventId: z.string().min(1).max(255).optional().describe("The event's own id"),
    outcome: EventOutcome.optional(),
    since: z.iso.datetime({ offset: true }).optional().describe("Received at or after"),
    until: z.iso.datetime({ offset: true }).optional().describe("Received before"),
  })
  .meta({ id: "ReceivedEventFilter" });

/** Times as the store compares them: UTC, milliseconds. */
function queryOf(filter: z.infer<typeof EventFilter> = {}) {
  const utc = (time: string | undefined) => (time === undefined ? undefined : new Date(time).toISOString());
  return { ...filter, since: utc(filter.since), until: utc(filter.until) };
}

export const receivedEvents = defineList({
  name: "receivedEvents",
  summary: "List the events that were taken in, newest first, with what became of them",
  noun: "events",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/events",
  status: 200,
  input: z.strictObject({ filter: EventFilter.optional(), ...PageRequest }),
  items: ReceivedEventView,
  pageName: "ReceivedEventPage",
  errors: ["INVALID_PAGE_TOKEN"],
  async handle({ services: { store }, principal }, { filter, pageSize = DEFAULT_PAGE_SIZE, pageToken }) {
    const page = await store.received.list(principal.tenant, { ...queryOf(filter), pageSize, pageToken });
    return { ...page, items: page.items.map(receivedEventView) };
  },
});

export const receivedEvent = defineOperation({
  name: "receivedEvent",
  summary: "Read an event that was taken in",
  noun: "events",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/events/:id",
  status: 200,
  input: z.strictObject({ id: PathId }),
  output: ReceivedEventView,
  errors: ["NOT_FOUND"],
  async handle({ services: { store }, principal }, { id }) {
    const found = await store.received.get(principal.tenant, id);
    if (!found) throw notFound("event", id);
    return receivedEventView(found);
  },
});

export const replayEvents = defineOperation({
  name: "replayEvents",
  summary: "Fire stored events again, a page at a time; only tells what would start unless dryRun is false",
  noun: "events",
  kind: "mutation",
  scope: "events:publish",
  route: "POST /api/v1/events/replay",
  status: 200,
  input: z.strictObject({
    where: EventFilter.optional().describe("Which events; all unless told"),
    workflowId: PathId.optional().describe("Only this workflow's triggers"),
    again: z
      .string()
      .regex(/^[A-Za-z0-9_-]{1,64}$/)
      .optional()
      .describe(
        "A key of your choice: what had started for an event starts once more, once for each key. Unless told, only what had not started starts",
      ),
    dryRun: z.boolean().default(true).describe("false: really fire"),
    pageSize: z.number().int().min(1).max(MAX_PAGE_SIZE).default(DEFAULT_PAGE_SIZE).describe("Events fired by this call"),
    pageToken: z.string().max(1_024).optional().describe("`nextPageToken` of the call before"),
  }),
  output: ReplayReport,
  errors: ["INVALID_PAGE_TOKEN", "LIMIT_EXCEEDED"],
  handle: ({ services: { store, events }, principal: { tenant } }, { where, pageSize, pageToken, ...options }) =>
    replayPage({ store: store.received, ingest: events.ingest }, tenant, { ...queryOf(where), pageSize, pageToken }, options),
});
