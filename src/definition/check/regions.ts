import type { Issue } from "../../errors.ts";
import { pointerTo } from "../pointer.ts";
import { didYouMean } from "../closest-name.ts";
import { handlerOf, pointerOfText, type Outline, type OutlinedRegion, type OutlinedStep } from "./outline.ts";

/** The flow outside all regions, or the inside of one. */
interface Flow {
  region: OutlinedRegion | null;
  owner: OutlinedStep | null;
  parent: Flow | null;
  members: Set<OutlinedStep>;
}

interface Arrival {
  id: string;
  /** Where the definition says to go there. */
  pointer: string;
}

/**
 * Regions have one way in and one way out, so that a join can neither be missed nor happen twice. Each step belongs to the flow
 * that reaches it, outer flows first; an edge that enters a step of another flow leaves its region.
 */
export function checkRegions(outline: Outline): Issue[] {
  if (!outline.start || outline.steps.every(({ regions }) => regions.length === 0)) return [];
  const issues: Issue[] = [];
  const flowOf = new Map<OutlinedStep, Flow>();
  const root: Flow = { region: null, owner: null, parent: null, members: new Set() };
  const handler = handlerOf(outline.definition);
  const roots = [
    { id: outline.start.step.id, pointer: outline.start.pointer },
    ...(handler === undefined ? [] : [{ id: handler, pointer: "/onError/goto" }]),
  ];
  const open: { flow: Flow; arrivals: Arrival[] }[] = [{ flow: root, arrivals: roots }];
  for (let next = open.shift(); next; next = open.shift()) {
    const inner = followFlow(next.flow, next.arrivals, outline, flowOf, issues);
    for (const flow of inner)
      open.push({ flow, arrivals: [{ id: flow.region?.start ?? "", pointer: regionPointer(flow, flow.region?.start ?? "") }] });
  }
  return [...issues, ...writeConflicts(outline, flowOf)];
}

/** Walks one flow; returns the flows of the regions met in it. */
function followFlow(flow: Flow, arrivals: Arrival[], outline: Outline, flowOf: Map<OutlinedStep, Flow>, issues: Issue[]): Flow[] {
  const inner: Flow[] = [];
  const end = flow.region?.end;
  let hasEnd = false;
  const open = [...arrivals];
  for (let arrival = open.shift(); arrival; arrival = open.shift()) {
    if (arrival.id === end) hasEnd = true;
    const step = arrival.id === end ? undefined : outline.byId.get(arrival.id);
    const known = step && flowOf.get(step);
    if (!step || known === flow) continue;
    if (known) {
      issues.push(leak(flow, known, step, arrival.pointer));
      // Where it leads from there is that flow's business, its end included.
      hasEnd = true;
      continue;
    }
    flowOf.set(step, flow);
    for (let outer: Flow | null = flow; outer; outer = outer.parent) outer.members.add(step);
    const leaving = leavingFrom(step);
    if (leaving.length === 0 && end) {
      hasEnd = true;
      issues.push(deadEnd(flow, step));
    }
    open.push(...leaving);
    inner.push(...step.regions.map((region): Flow => ({ region, owner: step, parent: flow, members: new Set() })));
  }
  issues.push(...unknownBorders(flow, outline), ...emptyBranch(flow), ...(hasEnd ? [] : missingJoin(flow, outline)));
  return inner;
}

/** A step with regions goes on at their ends. */
function leavingFrom({ step, pointer, ways, regions }: OutlinedStep): Arrival[] {
  const ends = [...new Set(regions.flatMap(({ end }) => end ?? []))].map((id) => ({ id, pointer: pointerTo(pointer, "config") }));
  const goto = handlerOf(step);
  const handler = goto === undefined ? [] : [{ id: goto, pointer: pointerTo(pointer, "onError", "goto") }];
  return [
    ...ways.map(({ next, pointer: at, isImplied }) => ({ id: next.to, pointer: isImplied ? at : pointerTo(at, "to") })),
    ...ends,
    ...handler,
  ];
}

function leak(flow: Flow, known: Flow, step: OutlinedStep, pointer: string): Issue {
  const hint = flow.region?.end ? `End the branch at "${flow.region.end}".` : "A region is entered at its start and left at its end only.";
  return {
    code: "REGION_LEAK",
    pointer,
    message: `This leads out of ${nameOf(flow)} to "${step.step.id}", which belongs to ${nameOf(known)}.`,
    hint,
  };
}

function nameOf({ region, owner }: Flow): string {
  return region ? `the branch "${region.name}" of "${owner?.step.id}"` : "the flow outside";
}

function deadEnd(flow: Flow, { step, pointer }: OutlinedStep): Issue {
  return {
    code: "JOIN_MISSING",
    pointer: pointerTo(pointer, "nextSteps"),
    message: `"${step.id}" ends inside ${nameOf(flow)}, which ends at "${flow.region?.end}".`,
    hint: `Lead it to "${flow.region?.end}".`,
  };
}

function missingJoin(flow: Flow, { byId }: Outline): Issue[] {
  const { start, end } = flow.region ?? {};
  // Where one of them does not exist, that is what there is to say.
  if (typeof end !== "string" || !byId.has(end) || !byId.has(start ?? "")) return [];
  const hint = `Lead the last step of the branch to "${end}".`;
  return [{ code: "JOIN_MISSING", pointer: regionPointer(flow, end), message: `No path of ${nameOf(flow)} reaches "${end}".`, hint }];
}

function emptyBranch(flow: Flow): Issue[] {
  const { start, end } = flow.region ?? {};
  if (start === undefined || start !== end) return [];
  const message = `"${start}" is where ${nameOf(flow)} begins and ends.`;
  return [{ code: "EMPTY_BRANCH", pointer: regionPointer(flow, start), message, hint: "Leave the branch out, or give it a step." }];
}

function unknownBorders(flow: Flow, { byId }: Outline): Issue[] {
  const { start, end } = flow.region ?? {};
  return [start, end]
    .filter((id) => typeof id === "string" && !byId.has(id))
    .map((id) => ({
      code: "UNKNOWN_TARGET",
      pointer: regionPointer(flow, id ?? ""),
      message: `There is no step "${id}".`,
      ...withHint(didYouMean(id ?? "", byId.keys())),
    }));
}

function withHint(hint: string | undefined): { hint?: string } {
  return hint === undefined ? {} : { hint };
}

function regionPointer({ owner }: Flow, stepId: string): string {
  return owner ? pointerOfText(owner.strings, stepId, pointerTo(owner.pointer, "config")) : "";
}

/** Two branches that run at once may write one variable only where its reducer says how the values join. */
function writeConflicts({ definition, steps }: Outline, flowOf: ReadonlyMap<OutlinedStep, Flow>): Issue[] {
  const issues: Issue[] = [];
  const flows = new Set([...flowOf.values()].flatMap(withParents).filter(({ region }) => region !== null));
  for (const owner of steps.filter(({ regions }) => regions.length > 1 || regions.some(({ copies }) => copies > 1))) {
    const writers = new Map<string, Flow>();
    for (const flow of flows) {
      if (flow.owner !== owner) continue;
      for (const { step, pointer } of flow.members) {
        for (const name of Object.keys(step.output ?? {})) {
          if ((definition.variables[name]?.reducer ?? "replace") !== "replace") continue;
          const other = writers.get(name);
          if (!other) writers.set(name, flow);
          if ((other && other !== flow) || (flow.region?.copies ?? 1) > 1) {
            issues.push(conflict(name, flow, other ?? flow, pointerTo(pointer, "output", name)));
          }
        }
      }
    }
  }
  return issues;
}

function withParents(flow: Flow): Flow[] {
  return flow.parent ? [flow, ...withParents(flow.parent)] : [flow];
}

function conflict(name: string, flow: Flow, other: Flow, pointer: string): Issue {
  const writers = other === flow ? `several rounds of "${flow.owner?.step.id}" at once` : `${nameOf(other)} and by ${nameOf(flow)}`;
  return {
    code: "WRITE_CONFLICT",
    pointer,
    message: `"${name}" is written by ${writers}, and the last one would win.`,
    hint: "Give the variable a reducer such as append, merge or sum, or write two variables.",
  };
}
