import type { Issue } from "../../errors.ts";
import { pointerTo } from "../pointer.ts";
import { didYouMean } from "../closest-name.ts";
import type { Outline } from "./outline.ts";

/** Names that mean something else where they would be read: fields every object has, and words of CEL after a dot. */
const RESERVED_NAMES = new Set([...Object.getOwnPropertyNames(Object.prototype), "prototype", "true", "false", "null", "in"]);

/** Ids, names and types: each says one thing. */
export function checkIds({ definition, steps, catalog }: Outline): Issue[] {
  const issues: Issue[] = [];
  const firstById = new Map<string, string>();
  for (const { step, pointer, type } of steps) {
    const id = pointerTo(pointer, "id");
    // Ids that differ by case only are one id to whoever reads a log, and to a model asked to choose between them.
    const other = firstById.get(step.id.toLowerCase());
    if (other === undefined) firstById.set(step.id.toLowerCase(), step.id);
    else
      issues.push({
        code: "DUPLICATE_STEP_ID",
        pointer: id,
        message: `The id "${step.id}" is taken${other === step.id ? "" : ` by "${other}"`}.`,
        hint: "Ids must differ by more than case.",
      });
    if (RESERVED_NAMES.has(step.id)) issues.push(reserved(id, step.id));
    if (!type) {
      const names = catalog.list().flatMap((known) => [known.type, ...(known.aliases ?? [])]);
      const hint =
        didYouMean(step.type, names) ??
        `Types are ${catalog
          .list()
          .map((known) => known.type)
          .join(", ")}.`;
      issues.push({
        code: "UNKNOWN_STEP_TYPE",
        pointer: pointerTo(pointer, "type"),
        message: `There is no step type "${step.type}".`,
        hint,
      });
    }
  }
  for (const name of Object.keys(definition.variables)) {
    if (RESERVED_NAMES.has(name)) issues.push(reserved(pointerTo("/variables", name), name));
  }
  return [...issues, ...duplicateTriggers(definition.triggers)];
}

function reserved(pointer: string, name: string): Issue {
  return { code: "RESERVED_NAME", pointer, message: `"${name}" is a reserved name.`, hint: "Take another one." };
}

function duplicateTriggers(triggers: Outline["definition"]["triggers"]): Issue[] {
  const taken = new Set<string>();
  return triggers.flatMap((trigger, index) => {
    const id = trigger.id ?? trigger.type;
    if (!taken.has(id)) return (taken.add(id), []);
    return [
      {
        code: "DUPLICATE_TRIGGER_ID",
        pointer: pointerTo("/triggers", index, "id"),
        message: `The trigger id "${id}" is taken.`,
        hint: "Give each trigger an id of its own.",
      },
    ];
  });
}
