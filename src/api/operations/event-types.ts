import { z } from "zod";
import { JsonRecord, JsonValue } from "../../definition/json.ts";
import { DEFAULT_PAGE_SIZE, PageRequest } from "../../definition/page.ts";
import { EventType } from "../../definition/received-event.ts";
import { notFound } from "../../errors.ts";
import { defineList, defineOperation, PathId } from "./operation.ts";

const common = { noun: "event types", status: 200 } as const;

export const eventTypes = defineList({
  ...common,
  name: "eventTypes",
  summary: "List the registered event types, newest first",
  kind: "query",
  scope: "workflows:read",
  route: "GET /api/v1/event-types",
  input: z.strictObject({ ...PageRequest }),
  items: EventType,
  pageName: "EventTypePage",
  errors: ["INVALID_PAGE_TOKEN"],
  handle: ({ services, principal }, { pageSize = DEFAULT_PAGE_SIZE, pageToken }) =>
    services.store.eventTypes.list(principal.tenant, { pageSize, pageToken }),
});

export const eventType = defineOperation({
  ...common,
  name: "eventType",
  summary: "Read a registered event type",
  kind: "query",
  scope: "workflows:read",
  route: "GET /api/v1/event-types/:type",
  input: z.strictObject({ type: PathId }),
  output: EventType,
  errors: ["NOT_FOUND"],
  async handle({ services, principal }, { type }) {
    const found = await services.store.eventTypes.get(principal.tenant, type);
    if (!found) throw notFound("event type", type);
    return found;
  },
});

export const putEventType = defineOperation({
  ...common,
  name: "putEventType",
  summary: "Register what events of a type look like, or change it; from then on others of the type are refused",
  kind: "mutation",
  scope: "workflows:write",
  route: "PUT /api/v1/event-types/:type",
  input: z.strictObject({
    type: PathId,
    description: z.string().max(2_000).optional(),
    schema: JsonRecord.describe("JSON Schema that `data` must fit"),
    example: JsonValue.optional().describe("Data that fits"),
  }),
  output: EventType,
  handle: ({ services, principal }, { type, ...input }) => services.events.types.put(principal.tenant, type, input),
});

export const deleteEventType = defineOperation({
  ...common,
  name: "deleteEventType",
  summary: "Forget an event type: its events are taken as they are again",
  kind: "mutation",
  scope: "workflows:write",
  route: "DELETE /api/v1/event-types/:type",
  input: z.strictObject({ type: PathId }),
  output: z.object({ type: z.string() }).meta({ id: "DeletedEventType" }),
  errors: ["NOT_FOUND"],
  async handle({ services, principal }, { type }) {
    await services.events.types.remove(principal.tenant, type);
    return { type };
  },
});
