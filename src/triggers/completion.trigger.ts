import { z } from "zod";
import { defineTrigger } from "./trigger.ts";

const WorkflowId = z.string().min(1).max(255);

export default defineTrigger({
  type: "completion",
  title: "Completion",
  description: "The end of another workflow's execution.",
  config: z.strictObject({
    workflowIds: z
      .union([WorkflowId.transform((id) => [id]), z.array(WorkflowId).min(1).max(50)])
      .optional()
      .describe("Workflow or list of workflows; any but this one unless told"),
    statuses: z
      .array(z.enum(["COMPLETED", "FAILED", "CANCELLED"]))
      .min(1)
      .default(["COMPLETED"])
      .describe("How it must have ended"),
  }),
  wake: ({ workflowIds, statuses }) => ({ on: "completion", workflowIds, statuses }),
});
