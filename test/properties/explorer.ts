import type { Step } from "../../src/definition/step.ts";
import type { WorkflowDefinition } from "../../src/definition/workflow.ts";
import { waysOf } from "./reference-steps.ts";

/** Something that goes wrong on one of the ways a token may take, whatever the conditions say. */
export interface WrongWay {
  kind:
    | "unknown target"
    | "two flows"
    | "dead end"
    | "no join"
    | "empty branch"
    | "unreachable"
    | "endless"
    | "two ways"
    | "dead way"
    | "conflict";
  stepId: string;
}

interface Flow {
  owner: Step | null;
  starts: string[];
  end: string | null;
  members: Set<string>;
  /** How many of it run at once. */
  copies: number;
}

/**
 * Follows every way a token could take, each flow (the root, a branch, the body of a loop) on its own, and tells what is wrong with
 * the definition's shape. Says the same as the checker by other means: by sets of steps instead of a walk.
 */
export function explore(definition: WorkflowDefinition): WrongWay[] {
  const steps = new Map(definition.steps.toReversed().map((step) => [step.id, step]));
  const start = definition.steps.find(({ type }) => type === "start") ?? definition.steps[0];
  const handler = gotoOf(definition);
  const root: Flow = { owner: null, starts: [start?.id ?? "", ...handler], end: null, members: new Set(), copies: 1 };
  const flows = [root];
  const wrongs = [...definition.steps, definition].flatMap((step) =>
    targetsOf(step)
      .filter((to) => !steps.has(to))
      .map((): WrongWay => ({ kind: "unknown target", stepId: "id" in step ? step.id : "" })),
  );
  for (const flow of flows) {
    const open = [...flow.starts];
    for (let id = open.pop(); id !== undefined; id = open.pop()) {
      const step = steps.get(id);
      if (id === flow.end || flow.members.has(id) || !step) continue;
      flow.members.add(id);
      open.push(...followersOf(step));
      // A step that is entered by two flows is wrong already; its regions are looked at once.
      if (!flows.some(({ owner }) => owner === step)) flows.push(...flowsOf(step));
    }
  }
  return [
    ...wrongs,
    ...flows.flatMap((flow) => shapeOf(flow, flows, steps)),
    ...reachOf(definition, flows, steps),
    ...conflictsOf(definition, flows),
    ...definition.steps.flatMap(waysBeside),
  ];
}

/** Where an error policy leads. */
function gotoOf({ onError }: Pick<Step, "onError">): string[] {
  return onError?.action === "goto" && onError.goto !== undefined ? [onError.goto] : [];
}

/** Every step something names. */
function targetsOf(step: Step | WorkflowDefinition): string[] {
  if (!("type" in step)) return gotoOf(step);
  return [...followersOf(step), ...flowsOf(step).flatMap(({ starts, end }) => (end === null ? starts : [...starts, end]))];
}

function flowsOf(owner: Step): Flow[] {
  const { type, config } = owner;
  const flow = (start: unknown, end: string | null, copies: number): Flow => ({
    owner,
    starts: [String(start)],
    end,
    members: new Set(),
    copies,
  });
  if (type === "loop") return [flow(config["body"], null, typeof config["concurrency"] === "number" ? config["concurrency"] : 1)];
  if (type !== "parallel" || !Array.isArray(config["branches"])) return [];
  const starts = config["branches"].map((branch) => (branch as { start?: unknown } | null)?.start);
  return [...new Set(starts)].map((start) => flow(start, String(config["join"]), starts.filter((other) => other === start).length));
}

function shapeOf(flow: Flow, flows: readonly Flow[], steps: ReadonlyMap<string, Step>): WrongWay[] {
  const wrongs: WrongWay[] = [];
  for (const id of flow.members) {
    if (flows.some((other) => other !== flow && other.members.has(id))) wrongs.push({ kind: "two flows", stepId: id });
    const step = steps.get(id);
    if (flow.end !== null && step && followersOf(step).length === 0) wrongs.push({ kind: "dead end", stepId: id });
  }
  if (flow.end === null) return wrongs;
  const stepId = flow.owner?.id ?? "";
  if (flow.starts.includes(flow.end)) wrongs.push({ kind: "empty branch", stepId });
  else if (![...flow.members].some((id) => followersOf(steps.get(id)).includes(flow.end ?? ""))) wrongs.push({ kind: "no join", stepId });
  return wrongs;
}

/** Where a token may be next, entering a region included. */
function followersOf(step: Step | undefined): string[] {
  return step ? [...waysOf(step).map(({ to }) => to), ...gotoOf(step)] : [];
}

function reachOf(definition: WorkflowDefinition, flows: readonly Flow[], steps: ReadonlyMap<string, Step>): WrongWay[] {
  const reached = new Set(flows.flatMap(({ members }) => [...members]));
  const lost = definition.steps.filter(({ id, type }) => !reached.has(id) && type !== "start");
  const onward = (step: Step) => [...followersOf(step), ...flowsOf(step).flatMap(({ starts }) => starts)];
  const ending = new Set(
    [...reached].filter((id) => [0, undefined].includes(steps.has(id) ? onward(steps.get(id) as Step).length : undefined)),
  );
  for (let grew = true; grew;) {
    const more = [...reached].filter(
      (id) => !ending.has(id) && onward(steps.get(id) as Step).some((to) => ending.has(to) || !steps.has(to)),
    );
    for (const id of more) ending.add(id);
    grew = more.length > 0;
  }
  const isSaved = gotoOf(definition).some((id) => ending.has(id));
  const endless = isSaved ? [] : [...reached].filter((id) => !ending.has(id));
  return [
    ...lost.map(({ id }): WrongWay => ({ kind: "unreachable", stepId: id })),
    ...endless.map((stepId): WrongWay => ({ kind: "endless", stepId })),
  ];
}

/** Variables that two flows of one step replace at once. */
function conflictsOf({ variables, steps }: WorkflowDefinition, flows: readonly Flow[]): WrongWay[] {
  const within = (flow: Flow): string[] =>
    [...flow.members].flatMap((id) => [id, ...flows.filter(({ owner }) => owner?.id === id).flatMap(within)]);
  const replaced = (flow: Flow): Set<string> => {
    const written = within(flow).flatMap((id) => Object.keys(steps.find((step) => step.id === id)?.output ?? {}));
    return new Set(written.filter((name) => (variables[name]?.reducer ?? "replace") === "replace"));
  };
  if (flows.some((flow) => [...flow.members].some((id) => flows.some((other) => other !== flow && other.members.has(id))))) return [];
  return flows.flatMap((flow, index): WrongWay[] => {
    const beside = flows.slice(index + 1).filter(({ owner }) => owner !== null && owner === flow.owner);
    const own = replaced(flow);
    const isConflict = (flow.copies > 1 && own.size > 0) || beside.some((other) => [...replaced(other)].some((name) => own.has(name)));
    return isConflict ? [{ kind: "conflict", stepId: flow.owner?.id ?? "" }] : [];
  });
}

/** Ways that nothing tells apart, and ways behind one that always applies. */
function waysBeside(step: Step): WrongWay[] {
  return waysOf(step).flatMap((way, index, ways): WrongWay[] => {
    const always = ways.slice(0, index).find(({ on = "success", when }) => on === (way.on ?? "success") && when === undefined);
    if (!always) return [];
    return [{ kind: way.when === undefined && way.to !== always.to ? "two ways" : "dead way", stepId: step.id }];
  });
}
