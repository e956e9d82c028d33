import type { Issue } from "../../errors.ts";
import { pointerTo } from "../pointer.ts";
import type { ErrorPolicy } from "../step.ts";
import { didYouMean } from "../closest-name.ts";
import type { Outline, OutlinedStep, Way } from "./outline.ts";

/** Ways out lead somewhere, and at most one of them can be taken. */
export function checkRoutes(outline: Outline): Issue[] {
  const issues = outline.steps.flatMap((step) => [
    ...unknownTargets(step, outline),
    ...ambiguousWays(step),
    ...errorPolicy(step.step.onError, pointerTo(step.pointer, "onError"), outline),
    ...compensation(step, outline),
  ]);
  return [...issues, ...errorPolicy(outline.definition.onError, "/onError", outline)];
}

function unknownTargets({ ways }: OutlinedStep, { byId }: Outline): Issue[] {
  return ways
    .filter(({ next }) => !byId.has(next.to))
    .map(({ next, pointer, isImplied }) => ({
      code: "UNKNOWN_TARGET",
      pointer: isImplied ? pointer : pointerTo(pointer, "to"),
      ...unknownStep(next.to, byId),
    }));
}

function unknownStep(id: string, byId: Outline["byId"]): { message: string; hint: string } {
  return {
    message: `There is no step "${id}".`,
    hint: didYouMean(id, byId.keys()) ?? `Steps are ${[...byId.keys()].slice(0, 20).join(", ")}${byId.size > 20 ? ", ..." : ""}.`,
  };
}

/**
 * For each outcome the ways are read in order, and the first without `when` is always taken: whatever stands after it is either a
 * second one that could be taken too, which nobody can have meant, or can never be reached. The options of a decision are
 * alternatives by intention.
 */
function ambiguousWays({ step, type, ways, pointer }: OutlinedStep): Issue[] {
  const issues: Issue[] = [];
  for (const outcome of new Set(ways.map(outcomeOf))) {
    if (outcome === "success" && type?.type === "decision") continue;
    const candidates = ways.filter((way) => outcomeOf(way) === outcome);
    const elseAt = candidates.findIndex(({ next }) => next.when === undefined);
    const taken = candidates[elseAt];
    if (!taken) continue;
    const after = candidates.slice(elseAt + 1);
    const rivals = after.filter(({ next }) => next.when === undefined && next.to !== taken.next.to);
    if (rivals.length > 0 && !taken.isImplied) {
      const names = [taken, ...rivals].map(({ next }) => `"${next.to}"`).join(", ");
      issues.push({
        code: "AMBIGUOUS_NEXT_STEPS",
        pointer: pointerTo(pointer, "nextSteps"),
        message: `After "${step.id}"${outcome === "success" ? "" : ` ends with ${outcome}`}, ${names} could all be taken.`,
        hint: "Give all but the last a `when`, let a decision step choose, or split with a parallel step.",
      });
    }
    const unreachable = after.filter((way) => taken.isImplied || !rivals.includes(way));
    for (const way of unreachable) issues.push(unreachableEntry(way, taken));
  }
  return issues;
}

function outcomeOf({ next }: Way): string {
  return next.on ?? "success";
}

function unreachableEntry(way: Way, taken: Way): Issue {
  return {
    code: "UNREACHABLE_ENTRY",
    pointer: way.pointer,
    message: `This way is never taken: the one to "${taken.next.to}" before it applies always.`,
    hint: taken.isImplied ? "The ways of the config come first; remove this one." : "Put the entry without `when` last.",
  };
}

function errorPolicy(policy: ErrorPolicy | undefined, pointer: string, { byId }: Outline): Issue[] {
  if (!policy) return [];
  if (policy.action !== "goto") {
    if (policy.goto === undefined) return [];
    return [
      {
        code: "ERROR_POLICY_TARGET",
        pointer: pointerTo(pointer, "goto"),
        message: `The action "${policy.action}" has no target.`,
        hint: 'Only the action "goto" has one.',
      },
    ];
  }
  if (policy.goto === undefined) {
    return [{ code: "ERROR_POLICY_TARGET", pointer, message: 'The action "goto" has no target.', hint: "Say where to go in `goto`." }];
  }
  return byId.has(policy.goto)
    ? []
    : [{ code: "ERROR_POLICY_TARGET", pointer: pointerTo(pointer, "goto"), ...unknownStep(policy.goto, byId) }];
}

function compensation({ step, pointer }: OutlinedStep, { byId }: Outline): Issue[] {
  if (step.compensate === undefined) return [];
  const at = pointerTo(pointer, "compensate");
  if (step.compensate === step.id) return [{ code: "UNKNOWN_COMPENSATION", pointer: at, message: "A step cannot undo itself." }];
  return byId.has(step.compensate) ? [] : [{ code: "UNKNOWN_COMPENSATION", pointer: at, ...unknownStep(step.compensate, byId) }];
}
