import type { Issue } from "../../errors.ts";
import { didYouMean } from "../closest-name.ts";
import { pointerTo } from "../pointer.ts";
import type { Trigger } from "../trigger.ts";
import type { TriggerCatalog } from "./trigger-catalog.ts";
import { issuesOfZod } from "./zod-issues.ts";

/** Types exist and configs fit them. Ids and expressions of triggers are looked at with those of steps. */
export function checkTriggers(triggers: readonly Trigger[], catalog: TriggerCatalog): Issue[] {
  return triggers.flatMap((trigger, index) => {
    const pointer = pointerTo("/triggers", index);
    const type = catalog.get(trigger.type);
    if (!type) return [unknownType(trigger.type, pointerTo(pointer, "type"), catalog)];
    const parsed = type.config.safeParse(trigger.config);
    if (!parsed.success) {
      return issuesOfZod(parsed.error, pointerTo(pointer, "config"), { code: "INVALID_CONFIG", schema: type.config });
    }
    // The type's own schema has just parsed it.
    const found = type.check?.(parsed.data as never) ?? [];
    return found.map((issue) => ({ ...issue, pointer: pointer + issue.pointer }));
  });
}

function unknownType(type: string, pointer: string, catalog: TriggerCatalog): Issue {
  const names = catalog.list().map((known) => known.type);
  return {
    code: "UNKNOWN_TRIGGER_TYPE",
    pointer,
    message: `There is no trigger type "${type}".`,
    hint: didYouMean(type, names) ?? `Types are ${names.join(", ")}.`,
  };
}
