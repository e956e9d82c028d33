import { z } from "zod";
import { scheduleProblem } from "./ticks.ts";
import { defineTrigger } from "./trigger.ts";

export default defineTrigger({
  type: "schedule",
  title: "Schedule",
  description: "The ticks of a cron expression in a time zone.",
  config: z.strictObject({
    cron: z.string().min(1).max(120).describe("Five fields, or six with seconds first"),
    timezone: z.string().min(1).max(64).describe("IANA name, like Europe/Berlin or UTC"),
    misfire: z
      .enum(["skip", "once", "all"])
      .default("once")
      .describe("Ticks missed by more than a minute: none, one execution for the newest, or one each (the newest 100)"),
    overlap: z
      .enum(["allow", "skip", "queue"])
      .default("allow")
      .describe("A tick while the execution before has not ended: start it, drop it, or start it afterwards"),
  }),
  wake: (schedule) => ({ on: "time", schedule }),
  check(schedule) {
    const problem = scheduleProblem(schedule);
    return problem ? [{ code: "INVALID_CONFIG", pointer: `/config/${problem.field}`, message: problem.message }] : [];
  },
});
