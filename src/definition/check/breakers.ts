import type { Issue } from "../../errors.ts";
import { pointerTo } from "../pointer.ts";
import type { Breaker } from "../step.ts";
import type { Outline } from "./outline.ts";

/** A breaker stands before steps that call somebody, and those that share a key agree on its rules. */
export function checkBreakers({ steps }: Outline): Issue[] {
  const rules = new Map<string, { stepId: string; text: string }>();
  return steps.flatMap(({ step, pointer, type, regions }): Issue[] => {
    const { breaker } = step;
    if (breaker === undefined) return [];
    const at = pointerTo(pointer, "breaker");
    if (type && (type.pure === true || regions.length > 0)) {
      return [
        {
          code: "INVALID_VALUE",
          pointer: at,
          message: `A ${type.type} calls nobody, so there is nothing to break.`,
          hint: "Leave it out.",
        },
      ];
    }
    if (typeof breaker === "string") return [];
    const text = JSON.stringify(rulesOf(breaker));
    const known = rules.get(breaker.key);
    rules.set(breaker.key, known ?? { stepId: step.id, text });
    if (known === undefined || known.text === text) return [];
    const hint = `Say it once, and only "${breaker.key}" elsewhere.`;
    return [{ code: "CONTRADICTION", pointer: at, message: `The step "${known.stepId}" has other rules for "${breaker.key}".`, hint }];
  });
}

function rulesOf({ failures, window, openFor }: Exclude<Breaker, string>): unknown[] {
  return [failures ?? null, window ?? null, openFor ?? null];
}
