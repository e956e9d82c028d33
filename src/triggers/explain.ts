import { compileInputSchema } from "../definition/input-schema.ts";
import type { IncomingEvent, TriggerOutcome } from "../definition/received-event.ts";
import type { Workflow } from "../definition/workflow.ts";
import { SignalboxError } from "../errors.ts";
import type { Store } from "../ports/store.ts";
import type { CompiledTrigger } from "./compiled-trigger.ts";
import { matchEvent, outcomeOf } from "./fire.ts";

/** What would come of an event, in the words of what comes of it; nothing is started. */
export async function explainMatch({
  store,
  workflow,
  trigger,
  event,
}: {
  store: Store;
  workflow: Workflow;
  trigger: CompiledTrigger;
  event: IncomingEvent;
}): Promise<TriggerOutcome> {
  const match = matchEvent(trigger, event);
  if (!match.applies) return outcomeOf(trigger, match);
  const refusal = refusalOf(workflow, match.input);
  if (refusal) return outcomeOf(trigger, { applies: false, status: "REFUSED", error: refusal });
  const isThere = (await store.executions.get(workflow.tenant, match.executionId)) !== undefined;
  const outcome = outcomeOf(trigger, { ...match, created: !isThere });
  return isThere ? outcome : { ...outcome, reason: "It would start an execution with this id." };
}

function refusalOf(
  { id, status, definition }: Workflow,
  input: Parameters<ReturnType<typeof compileInputSchema>>[0],
): SignalboxError | undefined {
  if (status !== "active") return new SignalboxError("WORKFLOW_NOT_ACTIVE", `Workflow "${id}" is ${status}.`);
  const issues = definition.input ? compileInputSchema(definition.input)(input) : [];
  return issues.length > 0 ? new SignalboxError("INVALID_INPUT", issues[0]?.message, { issues }) : undefined;
}
