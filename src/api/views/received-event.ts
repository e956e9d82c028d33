import { z } from "zod";
import { JsonRecord, JsonValue } from "../../definition/json.ts";
import { EventOutcome, EventVia, EventWake, outcomeOfResult, TriggerOutcome, type ReceivedEvent } from "../../definition/received-event.ts";

/** An event that was taken in, as clients see it. */
export const ReceivedEventView = z
  .object({
    id: z.string(),
    eventId: z.string().describe("The event's own id"),
    source: z.string(),
    type: z.string(),
    subject: z.string().nullable(),
    time: z.string().nullable(),
    data: JsonValue,
    extensions: JsonRecord,
    via: EventVia,
    receivedAt: z.string(),
    expiresAt: z.string(),
    outcome: EventOutcome,
    outcomes: z.array(TriggerOutcome),
    woken: z.array(EventWake),
  })
  .meta({ id: "ReceivedEvent" });
export type ReceivedEventView = z.infer<typeof ReceivedEventView>;

export function receivedEventView({ id, event, via, receivedAt, expireAt, result }: ReceivedEvent): ReceivedEventView {
  return {
    id,
    eventId: event.id,
    source: event.source,
    type: event.type,
    subject: event.subject ?? null,
    time: event.time ?? null,
    data: event.data,
    extensions: event.extensions ?? {},
    via,
    receivedAt,
    expiresAt: new Date(expireAt).toISOString(),
    outcome: outcomeOfResult(result),
    ...result,
  };
}

/** What a replay did, or would do. */
export const ReplayReport = z
  .object({
    dryRun: z.boolean(),
    events: z.array(
      z
        .object({
          id: z.string(),
          eventId: z.string(),
          source: z.string(),
          type: z.string(),
          receivedAt: z.string(),
          outcomes: z.array(TriggerOutcome).describe("In a dry run STARTED means that it would start"),
          woken: z.number().int().describe("Waiting steps it was delivered to"),
        })
        .meta({ id: "ReplayedEvent" }),
    ),
    starts: z.number().int().describe("Executions that were started, or in a dry run would be"),
    nextPageToken: z.string().optional().describe("Present while older events follow"),
  })
  .meta({ id: "ReplayReport" });
