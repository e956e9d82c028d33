import { z } from "zod";
import { DEFAULT_PAGE_SIZE, PageRequest } from "../../definition/page.ts";
import { ParkedStatus } from "../../definition/received-event.ts";
import { parkedEventView, ParkedEventView } from "../views/parked-event.ts";
import { defineList, defineOperation, PathId } from "./operation.ts";

const common = { noun: "parked events", status: 200 } as const;

export const parkedEvents = defineList({
  ...common,
  name: "parkedEvents",
  summary: "List messages that could not be taken as events, newest first",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/parked-events",
  input: z.strictObject({
    filter: z
      .strictObject({ status: ParkedStatus.optional(), code: z.string().min(1).max(64).optional() })
      .meta({ id: "ParkedEventFilter" })
      .optional(),
    ...PageRequest,
  }),
  items: ParkedEventView,
  pageName: "ParkedEventPage",
  errors: ["INVALID_PAGE_TOKEN"],
  async handle({ services, principal }, { filter, pageSize = DEFAULT_PAGE_SIZE, pageToken }) {
    const page = await services.store.parked.list(principal.tenant, { ...filter, pageSize, pageToken });
    return { ...page, items: page.items.map(parkedEventView) };
  },
});

export const parkedEvent = defineOperation({
  ...common,
  name: "parkedEvent",
  summary: "Read a message that could not be taken as an event",
  kind: "query",
  scope: "executions:read",
  route: "GET /api/v1/parked-events/:id",
  input: z.strictObject({ id: PathId }),
  output: ParkedEventView,
  errors: ["NOT_FOUND"],
  handle: async ({ services, principal }, { id }) => parkedEventView(await services.events.parking.get(principal.tenant, id)),
});

export const redriveParkedEvent = defineOperation({
  ...common,
  name: "redriveParkedEvent",
  summary: "Take a parked message in again, as it was or corrected; it stays parked where it is refused again",
  kind: "mutation",
  scope: "events:publish",
  route: "POST /api/v1/parked-events/:id/redrive",
  input: z.strictObject({
    id: PathId,
    data: z.string().max(1_048_576).optional().describe("Text to take instead of the message's data"),
    attributes: z
      .record(z.string().min(1).max(256), z.string().max(1_024))
      .optional()
      .describe("Attributes to take instead of all the message's own"),
  }),
  output: ParkedEventView,
  errors: ["NOT_FOUND", "CONFLICT", "EVENT_MISMATCH", "MALFORMED_JSON", "TOO_LARGE", "LIMIT_EXCEEDED"],
  handle: async ({ services, principal }, { id, ...edits }) =>
    parkedEventView(await services.events.parking.redrive(principal.tenant, id, edits, principal.id)),
});

export const discardParkedEvent = defineOperation({
  ...common,
  name: "discardParkedEvent",
  summary: "Settle a parked message without taking it in; it stays readable until its retention ends",
  kind: "mutation",
  scope: "events:publish",
  route: "POST /api/v1/parked-events/:id/discard",
  input: z.strictObject({ id: PathId }),
  output: ParkedEventView,
  errors: ["NOT_FOUND", "CONFLICT"],
  handle: async ({ services, principal }, { id }) =>
    parkedEventView(await services.events.parking.discard(principal.tenant, id, principal.id)),
});
