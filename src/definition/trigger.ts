import { z } from "zod";
import { JsonValue } from "./json.ts";
import { Cel } from "./step.ts";

/** What starts executions. Each type's own fields live in `config` and are checked by its file in `src/triggers/`. */
export const Trigger = z
  .strictObject({
    id: z
      .string()
      .regex(/^[A-Za-z][A-Za-z0-9_-]{0,63}$/)
      .optional()
      .describe("The type unless told"),
    type: z.string().min(1).max(64),
    enabled: z.boolean().default(true),
    config: z.record(z.string(), JsonValue).default({}),
    condition: Cel.optional().describe("CEL over `event`; false starts nothing"),
    input: z.record(z.string(), JsonValue).optional().describe("Input of the execution; strings may hold ${ cel } over `event`"),
    dedupeKey: Cel.optional().describe("CEL over `event`; one execution per (trigger, key)"),
  })
  .meta({ id: "Trigger" });
export type Trigger = z.infer<typeof Trigger>;
