import { z } from "zod";
import { JsonValue } from "../../definition/json.ts";
import type { Workflow } from "../../definition/workflow.ts";
import { notFound, SignalboxError } from "../../errors.ts";
import { triggerId } from "../../triggers/compiled-trigger.ts";
import { TriggerOutcome } from "../../definition/received-event.ts";
import { triggerView, TriggerView } from "../views/trigger.ts";
import { defineList, defineOperation, PathId, type CallContext } from "./operation.ts";

/** Attempts of a switch that keeps losing against other writes of the workflow. */
const MAX_ATTEMPTS = 5;

export const triggers = defineList({
  name: "triggers",
  summary: "List a workflow's triggers as they are used now, with the next ticks of schedules",
  noun: "triggers",
  kind: "query",
  scope: "workflows:read",
  route: "GET /api/v1/workflows/:id/triggers",
  status: 200,
  input: z.strictObject({ id: PathId }),
  items: TriggerView,
  pageName: "WorkflowTriggerPage",
  errors: ["NOT_FOUND"],
  async handle({ services, principal }, { id }) {
    const workflow = await services.workflows.get(principal.tenant, id);
    return { items: services.triggers.of(workflow).map((trigger) => triggerView(workflow, trigger, services.clock.now())) };
  },
});

const onOff = {
  noun: "triggers",
  kind: "mutation",
  scope: "workflows:write",
  status: 200,
  input: z.strictObject({ id: PathId, triggerId: PathId }),
  output: TriggerView,
  errors: ["NOT_FOUND", "VERSION_MISMATCH"],
} as const;

export const enableTrigger = defineOperation({
  ...onOff,
  name: "enableTrigger",
  summary: "Enable a trigger; the definition's next version has it so",
  route: "POST /api/v1/workflows/:id/triggers/:triggerId/enable",
  handle: (context, { id, triggerId: wanted }) => turn(context, id, wanted, true),
});

export const disableTrigger = defineOperation({
  ...onOff,
  name: "disableTrigger",
  summary: "Disable a trigger: it starts nothing more; the definition's next version has it so",
  route: "POST /api/v1/workflows/:id/triggers/:triggerId/disable",
  handle: (context, { id, triggerId: wanted }) => turn(context, id, wanted, false),
});

const TestEvent = z
  .strictObject({
    id: z.string().min(1).max(255).optional().describe("Random unless told; the same id starts once"),
    source: z.string().min(1).max(1_024).optional(),
    type: z.string().min(1).max(255).optional(),
    subject: z.string().max(1_024).optional(),
    time: z.iso.datetime({ offset: true }).optional(),
    data: JsonValue.optional(),
  })
  .meta({ id: "TestEvent" });

export const fireTrigger = defineOperation({
  name: "fireTrigger",
  summary: "Fire one trigger with an event given here, or only tell what would come of it",
  noun: "triggers",
  kind: "mutation",
  scope: "executions:write",
  route: "POST /api/v1/workflows/:id/triggers/:triggerId/fire",
  status: 200,
  input: z.strictObject({
    id: PathId,
    triggerId: PathId,
    event: TestEvent.optional().describe("What is left out is filled in as the trigger expects it"),
    dryRun: z.boolean().optional().describe("true: start nothing"),
  }),
  output: TriggerOutcome,
  errors: ["NOT_FOUND", "LIMIT_EXCEEDED"],
  async handle({ services, principal }, { id, triggerId: wanted, event = {}, dryRun = false }) {
    const workflow = await services.workflows.get(principal.tenant, id);
    return await services.triggers.fire(workflow, wanted, event, { dryRun });
  },
});

async function turn({ services, principal }: CallContext, id: string, wanted: string, enabled: boolean): Promise<TriggerView> {
  for (let attempt = 1; ; attempt++) {
    const present = await services.workflows.get(principal.tenant, id);
    const { definition, revision } = present;
    if (!definition.triggers.some((trigger) => triggerId(trigger) === wanted)) throw notFound("trigger", wanted);
    const changed = definition.triggers.map((trigger) => (triggerId(trigger) === wanted ? { ...trigger, enabled } : trigger));
    try {
      const workflow = await services.workflows.update(principal, id, { ...definition, triggers: changed }, revision);
      return viewOf(services, workflow, wanted);
    } catch (error) {
      const isRaceLost = error instanceof SignalboxError && error.code === "VERSION_MISMATCH";
      if (!isRaceLost || attempt >= MAX_ATTEMPTS) throw error;
    }
  }
}

function viewOf({ triggers: manager, clock }: CallContext["services"], workflow: Workflow, wanted: string): TriggerView {
  const trigger = manager.of(workflow).find(({ id }) => id === wanted);
  if (!trigger) throw notFound("trigger", wanted);
  return triggerView(workflow, trigger, clock.now());
}
