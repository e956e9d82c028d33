import { z } from "zod";

/** What one trigger made of one event. */
export const TriggerOutcome = z
  .object({
    workflowId: z.string(),
    triggerId: z.string(),
    status: z
      .enum(["STARTED", "DUPLICATE", "SKIPPED", "REFUSED"])
      .meta({ id: "TriggerResult" })
      .describe("DUPLICATE: it had started this execution before; SKIPPED: it did not apply; REFUSED: it could not be started as it is"),
    executionId: z.string().nullable(),
    code: z.string().nullable().describe("Error code of a refusal"),
    reason: z.string(),
  })
  .meta({ id: "TriggerOutcome" });
export type TriggerOutcome = z.infer<typeof TriggerOutcome>;

/** What became of one event: one line per trigger that listens to its type. None: nothing listens, which is no error. */
export const EventReceipt = z
  .object({ eventId: z.string(), source: z.string(), type: z.string(), outcomes: z.array(TriggerOutcome) })
  .meta({ id: "EventReceipt" });
export type EventReceipt = z.infer<typeof EventReceipt>;
