import { z } from "zod";

/** How a limit stands. */
export const LimitView = z
  .object({
    limit: z.string().describe("`workflow:<id>`, with its key where there is one, or `tenant`"),
    max: z.number().int().nullable().describe("null: it is not set any more, and ends with what is under way"),
    inUse: z.number().int().describe("Executions that hold a place, parked and paused ones included"),
    queued: z.number().int().describe("Executions that wait for one"),
  })
  .meta({ id: "Limit" });

export const PlaceView = z
  .object({ position: z.number().int().describe("From 1; the first is next"), executionId: z.string() })
  .meta({ id: "PlaceInLine" });
