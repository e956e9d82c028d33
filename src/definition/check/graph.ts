import type { Issue } from "../../errors.ts";
import { pointerTo } from "../pointer.ts";
import { handlerOf, type Outline, type OutlinedStep } from "./outline.ts";

/** One place to begin, every step on some path, and an end in reach of each. */
export function checkGraph(outline: Outline): Issue[] {
  const starts = outline.steps.filter(({ type }) => type?.type === "start");
  const several = starts.slice(1).map(({ step, pointer }) => ({
    code: "SEVERAL_STARTS",
    pointer: pointerTo(pointer, "type"),
    message: `"${step.id}" is a further start step; "${starts[0]?.step.id}" is one already.`,
    hint: "A workflow has one start.",
  }));
  const missing = missingStart(outline);
  if (missing) return [...several, missing];
  const reached = reachedSteps(outline);
  const unreachable = outline.steps.filter(
    (step) => outline.byId.get(step.step.id) === step && !reached.has(step) && step.type?.type !== "start",
  );
  return [
    ...several,
    ...unreachable.map(({ step, pointer }) => ({
      code: "UNREACHABLE_STEP",
      pointer,
      message: `No path leads from "${outline.start?.step.id}" to "${step.id}".`,
      hint: "Name it in another step's nextSteps, or remove it.",
    })),
    ...endless(outline, reached),
  ];
}

/** Without a start step the first one is meant; one that only ends something cannot be. */
function missingStart({ start, steps }: Outline): Issue | undefined {
  if (!start || start.type?.type === "start" || steps.length === 1) return undefined;
  const endsRegion = steps.some(({ regions }) => regions.some(({ end }) => end === start.step.id));
  if (start.type?.type !== "end" && !endsRegion) return undefined;
  return {
    code: "NO_START",
    pointer: start.pointer,
    message: `The first step, "${start.step.id}", ${endsRegion ? "is where branches join" : "is an end"}, so the workflow has no start.`,
    hint: "Put the step to begin with first, or add a step of the type start.",
  };
}

function reachedSteps(outline: Outline): Set<OutlinedStep> {
  const { start, byId, definition } = outline;
  const reached = new Set<OutlinedStep>();
  const open = [start, byId.get(handlerOf(definition) ?? "")];
  while (open.length > 0) {
    const step = open.pop();
    if (!step || reached.has(step)) continue;
    reached.add(step);
    for (const id of [...followersOf(step), step.step.compensate]) open.push(byId.get(id ?? ""));
  }
  return reached;
}

function followersOf({ ways, regions, step }: OutlinedStep): string[] {
  const targets = [...ways.map(({ next }) => next.to), ...regions.flatMap(({ start, end }) => (end === null ? [start] : [start, end]))];
  const handler = handlerOf(step);
  return handler === undefined ? targets : [...targets, handler];
}

/** Steps from which every path goes round for ever: the limits would stop it, but only as a failure. */
function endless(outline: Outline, reached: ReadonlySet<OutlinedStep>): Issue[] {
  const { steps, byId, definition, start } = outline;
  const canEnd = stepsThatCanEnd(outline, reached);
  const handler = byId.get(handlerOf(definition) ?? "");
  if (handler && canEnd.has(handler)) return [];
  const trapped = steps.find((step) => reached.has(step) && !canEnd.has(step));
  if (!trapped) return [];
  const isWhole = start !== undefined && !canEnd.has(start);
  return [
    {
      code: "NO_END",
      pointer: isWhole ? "/steps" : trapped.pointer,
      message: isWhole ? "No path of the workflow can end." : `From "${trapped.step.id}" no path can end.`,
      hint: "Lead a way out of the cycle, to an end step or to a step without nextSteps.",
    },
  ];
}

function stepsThatCanEnd({ byId }: Outline, reached: ReadonlySet<OutlinedStep>): Set<OutlinedStep> {
  const predecessors = new Map<string, OutlinedStep[]>();
  const ending: OutlinedStep[] = [];
  for (const step of reached) {
    const followers = followersOf(step);
    // A target that does not exist is named elsewhere; the path may well end there once it does.
    if (followers.length === 0 || followers.some((id) => !byId.has(id))) ending.push(step);
    for (const id of followers) predecessors.set(id, [...(predecessors.get(id) ?? []), step]);
  }
  const canEnd = new Set<OutlinedStep>();
  for (let step = ending.pop(); step; step = ending.pop()) {
    if (canEnd.has(step)) continue;
    canEnd.add(step);
    ending.push(...(predecessors.get(step.step.id) ?? []));
  }
  return canEnd;
}
