import { isDeepStrictEqual } from "node:util";
import { openStore } from "../../src/adapters/open.ts";
import type { Execution } from "../../src/definition/execution.ts";
import type { Json } from "../../src/definition/json.ts";
import type { WorkflowDefinition } from "../../src/definition/workflow.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import type { Case } from "./definitions.ts";
import { explore } from "./explorer.ts";
import { interpret, type Interpretation } from "./interpreter.ts";
import { scheduleOf, watchRegions, type Schedule, type Trace, type WatchedStore } from "./observed.ts";
import { requireWitnesses } from "./witness.ts";

export interface Tally {
  accepted: number;
  refused: number;
  /** Refusals by code. */
  codes: Record<string, number>;
  completed: number;
  failed: number;
  /** Runs in which regions raced: they were compared along what chance decided. */
  races: number;
  steps: number;
  joins: number;
  /** Steps of accepted definitions, by type. */
  types: Record<string, number>;
  /** Executions that failed, by code. */
  failures: Record<string, number>;
}

export interface Property extends AsyncDisposable {
  readonly tally: Tally;
  /** Throws where the definition, the checker, the reference and the compiled graph do not agree. */
  check(given: Case): Promise<void>;
}

/**
 * A definition the checker accepts ends within its bounds, goes through each join once, and leaves the same trace on the reference
 * interpreter and on the compiled graph; one it refuses is refused for a reason that others can see.
 */
export async function createProperty(): Promise<Property> {
  const watched = watchRegions(await openStore("sqlite::memory:", { ownerId: "properties", clock: systemClock }));
  const engine = await createEngine({ store: watched.store });
  const tally: Tally = {
    accepted: 0,
    refused: 0,
    codes: {},
    completed: 0,
    failed: 0,
    races: 0,
    steps: 0,
    joins: 0,
    types: {},
    failures: {},
  };
  return {
    tally,
    async check({ raw, input }) {
      const { issues, definition } = engine.workflows.validate(raw);
      if (issues.length > 0 || !definition) {
        tally.refused++;
        for (const code of new Set(issues.map((issue) => issue.code))) count(tally.codes, code);
        return requireWitnesses({ raw, definition, issues });
      }
      tally.accepted++;
      for (const { type } of definition.steps) count(tally.types, type);
      const wrongs = explore(definition);
      if (wrongs.length > 0) throw new Error(`accepted, although ${wrongs.map(({ kind, stepId }) => `${kind} at ${stepId}`).join(", ")}`);
      const { execution, schedule } = await runOnGraph({ engine, watched }, raw, input);
      const meant = meaningOf(definition, input, schedule, tally);
      requireSame(execution, schedule, meant);
      requireBounds(schedule.trace, definition);
      const joins = requireJoinsOnce(definition, schedule.trace, meant.isRace);
      tally.joins += joins;
      tally.steps += execution.stepsTaken;
      count(tally.failures, execution.error?.code ?? "none");
      if (execution.status === "COMPLETED") tally.completed++;
      else tally.failed++;
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

async function runOnGraph(
  { engine, watched }: { engine: Engine; watched: WatchedStore },
  raw: Case["raw"],
  input: Case["input"],
): Promise<{ execution: Execution; schedule: Schedule }> {
  const id = await engine.define(raw as unknown as Parameters<Engine["define"]>[0]);
  const execution = await engine.run(id, input);
  if (execution.status !== "COMPLETED" && execution.status !== "FAILED")
    throw new Error(`it never ended: ${execution.status} after ${execution.stepsTaken} steps`);
  return { execution, schedule: scheduleOf(await engine.events(execution.id), watched.regionsOf(execution.id)) };
}

function meaningOf(definition: WorkflowDefinition, input: Case["input"], schedule: Schedule, tally: Tally): Interpretation {
  const alone = interpret(definition, input, { waited: schedule.waited });
  if (!alone.isRace) return alone;
  tally.races++;
  return interpret(definition, input, { waited: schedule.waited, schedule });
}

function requireSame(execution: Execution, { trace }: Schedule, meant: Interpretation): void {
  const differences = [
    ...traceDifferences(trace, meant.trace),
    ...difference("status", execution.status, meant.status),
    ...difference("output", comparable(execution.output), comparable(meant.output)),
  ];
  const { error } = execution;
  const isMeant =
    error === null
      ? meant.failures.length === 0 || meant.status === "COMPLETED"
      : meant.failures.some(({ code, stepId }) => code === error.code && stepId === error.stepId);
  if (!isMeant) differences.push(`error: graph ${JSON.stringify(error)}, reference ${JSON.stringify(meant.failures)}`);
  if (differences.length > 0) throw new Error(`graph and reference differ\n${differences.join("\n")}`);
}

function traceDifferences(graph: Schedule["trace"], reference: Trace): string[] {
  return [...new Set([...graph.keys(), ...reference.keys()])].flatMap((path) => {
    const ran = (graph.get(path) ?? []).map(({ seq: _seq, ...entry }) => entry);
    return difference(`path "${path}"`, ran, reference.get(path) ?? []);
  });
}

function difference(what: string, graph: unknown, reference: unknown): string[] {
  if (isDeepStrictEqual(graph, reference)) return [];
  const lines = (value: unknown) =>
    Array.isArray(value) ? value.map((item) => `    ${JSON.stringify(item)}`).join("\n") : `    ${JSON.stringify(value)}`;
  return [`${what}\n  graph:\n${lines(graph)}\n  reference:\n${lines(reference)}`];
}

/** Outputs without what is no promise: the wording of errors. */
function comparable(value: Json): Json {
  if (Array.isArray(value)) return value.map(comparable);
  if (value === null || typeof value !== "object") return value;
  const fields = Object.entries(value).filter(([name]) => name !== "message");
  return Object.fromEntries(fields.map(([name, field]) => [name, comparable(field)]));
}

function requireBounds(trace: Trace, { limits }: WorkflowDefinition): void {
  const maxSteps = limits?.maxSteps ?? 1_000;
  const taken = [...trace.values()].flat().filter(({ outcome }) => outcome !== "error MAX_STEPS_EXCEEDED").length;
  if (taken > maxSteps) throw new Error(`it took ${taken} steps, ${maxSteps} are allowed`);
}

/** After each split that went on to its join, the join is the next visit of that path; no visit has a number twice. */
function requireJoinsOnce(definition: WorkflowDefinition, trace: Trace, isRace: boolean): number {
  const joinOf = new Map(definition.steps.flatMap(({ id, type, config }) => (type === "parallel" ? [[id, config["join"]]] : [])));
  let joins = 0;
  for (const [path, entries] of trace) {
    const seen = new Set<string>();
    for (const [index, { stepId, visit, next }] of entries.entries()) {
      const key = `${stepId}#${visit}`;
      if (seen.has(key)) throw new Error(`visit ${key} of path "${path}" happened twice`);
      seen.add(key);
      const follower = entries[index + 1];
      if (next === null || next !== joinOf.get(stepId) || !follower) continue;
      // A region that was cut off before its join goes on with its first step in the next lap.
      if (follower.stepId !== next && isRace) continue;
      if (follower.stepId !== next) throw new Error(`the join of ${key} on path "${path}" was lost`);
      joins++;
    }
  }
  return joins;
}

function count(counts: Record<string, number>, key: string): void {
  counts[key] = (counts[key] ?? 0) + 1;
}
