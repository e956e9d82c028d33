import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution } from "../definition/execution.ts";
import type { Json } from "../definition/json.ts";
import type { OutgoingEvent } from "../relay/cloud-event.ts";
import type { IncomingEvent } from "../definition/received-event.ts";
import type { Wake } from "./trigger.ts";

type CompletionWake = Extract<Wake, { on: "completion" }>;

/** Type of the event that tells of an end, by its status. */
export const END_TYPES = {
  COMPLETED: "dev.signalbox.execution.completed",
  FAILED: "dev.signalbox.execution.failed",
  CANCELLED: "dev.signalbox.execution.cancelled",
} as const;
const ENDS: ReadonlySet<string> = new Set(["execution.completed", "execution.failed", "execution.cancelled"]);

export function isEnd({ type }: ExecutionEvent): boolean {
  return ENDS.has(type);
}

/** Why an event does not wake a completion trigger of the workflow; undefined where it does. */
export function completionProblem(wake: CompletionWake, ownId: string, { type, data }: IncomingEvent): string | undefined {
  if (!wake.statuses.some((status) => END_TYPES[status] === type)) return `It listens to ${wake.statuses.join(", ")}.`;
  const workflowId = workflowIdIn(data);
  if (wake.workflowIds === undefined)
    return workflowId === ownId ? "It does not listen to its own workflow unless that is named." : undefined;
  return wake.workflowIds.includes(workflowId) ? undefined : `It listens to ${wake.workflowIds.join(", ")}.`;
}

/** Whether the trigger may listen to ends of the workflow, whatever their status. */
export function listensTo(wake: Wake, ownId: string, { workflowId }: Pick<Execution, "workflowId">): boolean {
  return wake.on === "completion" && (wake.workflowIds?.includes(workflowId) ?? workflowId !== ownId);
}

/** An event that left an execution, as triggers see it. */
export function incoming({ id, source, type, subject, time, data, seq, chain, traceparent }: OutgoingEvent): IncomingEvent {
  return { id, source, type, subject, time, data, extensions: { seq, chain, traceparent } };
}

function workflowIdIn(data: Json): string {
  const id = typeof data === "object" && data !== null && !Array.isArray(data) ? data["workflowId"] : undefined;
  return typeof id === "string" ? id : "";
}
