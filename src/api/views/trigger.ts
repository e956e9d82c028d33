import { z } from "zod";
import { JsonRecord } from "../../definition/json.ts";
import type { Workflow } from "../../definition/workflow.ts";
import type { CompiledTrigger } from "../../triggers/compiled-trigger.ts";
import { ticksAfter } from "../../triggers/ticks.ts";

const NEXT_FIRES = 5;

/** A trigger as it is used now. */
export const TriggerView = z
  .object({
    id: z.string(),
    type: z.string(),
    title: z.string(),
    enabled: z.boolean(),
    isActive: z.boolean().describe("It is enabled and its workflow is active"),
    config: JsonRecord,
    condition: z.string().nullable(),
    dedupeKey: z.string().nullable(),
    nextFires: z.array(z.string()).describe("Of a schedule that is active: its next five ticks, UTC"),
    path: z.string().nullable().describe("Of a webhook: where it takes requests"),
  })
  .meta({ id: "WorkflowTrigger" });
export type TriggerView = z.infer<typeof TriggerView>;

export function triggerView({ status }: Workflow, { id, tenant, type, definition, wake }: CompiledTrigger, now: number): TriggerView {
  const { enabled, config, condition = null, dedupeKey = null } = definition;
  const isActive = enabled && status === "active";
  return {
    id,
    type: definition.type,
    title: type.title,
    enabled,
    isActive,
    config,
    condition,
    dedupeKey,
    nextFires: isActive && wake.on === "time" ? ticksAfter(wake.schedule, now, NEXT_FIRES).map((tick) => new Date(tick).toISOString()) : [],
    path: wake.on === "request" ? `/hooks/${encodeURIComponent(tenant)}/${wake.path}` : null,
  };
}
