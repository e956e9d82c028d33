import type { Workflow } from "../definition/workflow.ts";
import { SignalboxError } from "../errors.ts";
import type { ScheduleCursor, ScheduleStore } from "../ports/schedules.ts";
import { compileTriggers, type CompiledTrigger } from "./compiled-trigger.ts";
import { signatureOf, type Schedule } from "./ticks.ts";
import type { TriggerTypes } from "./trigger-types.ts";

const MAX_ATTEMPTS = 5;

/** A trigger of a time, with its schedule. */
export interface ScheduleTrigger {
  trigger: CompiledTrigger;
  schedule: Schedule;
  isOn: boolean;
}

/** The schedule triggers of a workflow; off where they, or the workflow, are. */
export function scheduleTriggers(workflow: Workflow, types: TriggerTypes): ScheduleTrigger[] {
  return compileTriggers(workflow, types).flatMap((trigger) =>
    trigger.wake.on === "time"
      ? [{ trigger, schedule: trigger.wake.schedule, isOn: trigger.definition.enabled && workflow.status === "active" }]
      : [],
  );
}

/**
 * Gives every schedule that is on its cursor. Called before the workflow is written: a cursor without its workflow is found idle and
 * removed, while a workflow without its cursor would never fire. A schedule that is new or another than before begins now.
 */
export async function ensureCursors(schedules: ScheduleStore, triggers: readonly ScheduleTrigger[]): Promise<void> {
  for (const { trigger, schedule, isOn } of triggers) if (isOn) await ensureCursor(schedules, trigger, schedule);
}

async function ensureCursor(schedules: ScheduleStore, { tenant, workflowId, id }: CompiledTrigger, schedule: Schedule): Promise<void> {
  const signature = signatureOf(schedule);
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    const { now, cursor } = await schedules.get(tenant, workflowId, id);
    if (cursor?.signature === signature) return;
    const begun: ScheduleCursor = {
      tenant,
      workflowId,
      triggerId: id,
      revision: (cursor?.revision ?? 0) + 1,
      dueAt: now,
      signature,
      after: now,
      starting: cursor?.starting ?? [],
      waiting: [],
      last: cursor?.last ?? null,
    };
    if (await schedules.put(begun, cursor?.revision ?? null)) return;
  }
  throw new SignalboxError("UNAVAILABLE", "The schedule of the workflow is being changed by others.");
}

/** Takes the cursors of schedules that are off away, so that what they miss meanwhile is not made up for when they are on again. */
export async function dropCursors(schedules: ScheduleStore, triggers: readonly ScheduleTrigger[]): Promise<void> {
  for (const { trigger, isOn } of triggers) {
    if (isOn) continue;
    const { tenant, workflowId, id } = trigger;
    const { cursor } = await schedules.get(tenant, workflowId, id);
    // Whoever moved it meanwhile finds it off as well, and removes it.
    if (cursor) await schedules.remove(tenant, workflowId, id, cursor.revision);
  }
}
