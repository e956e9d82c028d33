import { parseExpression, type Expression } from "../definition/expression.ts";
import type { Json } from "../definition/json.ts";
import type { IncomingEvent } from "../definition/received-event.ts";
import { parseTemplate, type Template } from "../definition/template.ts";
import type { Trigger } from "../definition/trigger.ts";
import type { Workflow } from "../definition/workflow.ts";
import type { Issue } from "../errors.ts";
import { compileDataSchema } from "./data-schema.ts";
import type { TriggerType, Wake } from "./trigger.ts";
import type { TriggerTypes } from "./trigger-types.ts";

/** A trigger of a workflow, ready to be woken. */
export interface CompiledTrigger {
  tenant: string;
  workflowId: string;
  /** Unique in its workflow. */
  id: string;
  type: TriggerType;
  definition: Trigger;
  wake: Wake;
  condition: Expression | undefined;
  dedupeKey: Expression | undefined;
  input: Template | undefined;
  /** The event as this trigger sees it; undefined for one that is not meant. */
  prepare(event: IncomingEvent): IncomingEvent | undefined;
  /** What keeps an event's data from being taken. */
  dataIssues(data: Json): Issue[];
}

/** The triggers of a workflow, disabled ones too. One that cannot be used (its type is gone since it was saved) is left out. */
export function compileTriggers(workflow: Workflow, types: TriggerTypes): CompiledTrigger[] {
  return workflow.definition.triggers.flatMap((definition) => compileTrigger(workflow, definition, types) ?? []);
}

function compileTrigger({ tenant, id: workflowId }: Workflow, definition: Trigger, types: TriggerTypes): CompiledTrigger | undefined {
  const type = types.get(definition.type);
  const parsed = type?.config.safeParse(definition.config);
  if (!type || !parsed?.success) return undefined;
  const config: never = parsed.data; // parsed by the type's own schema
  let dataIssues: ((data: Json) => Issue[]) | undefined;
  try {
    const { condition, dedupeKey, input } = definition;
    return {
      tenant,
      workflowId,
      id: triggerId(definition),
      type,
      definition,
      wake: type.wake(config),
      condition: condition === undefined ? undefined : parseExpression(condition),
      dedupeKey: dedupeKey === undefined ? undefined : parseExpression(dedupeKey),
      input: input === undefined ? undefined : parseTemplate(input),
      prepare: (event) => (type.prepare ? type.prepare(config, event) : event),
      // Compiled with the first event: that takes milliseconds, and a list of triggers needs none of it.
      dataIssues(data) {
        const schema = type.dataSchema?.(config);
        if (schema === undefined) return [];
        dataIssues ??= compileDataSchema(schema);
        return dataIssues(data);
      },
    };
  } catch {
    return undefined;
  }
}

/** The type unless told. */
export function triggerId({ id, type }: Trigger): string {
  return id ?? type;
}
