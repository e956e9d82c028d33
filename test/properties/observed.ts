import type { ExecutionEvent } from "../../src/definition/event.ts";
import type { Execution } from "../../src/definition/execution.ts";
import type { Store } from "../../src/ports/store.ts";

/** A visit as it ended. */
export interface Entry {
  stepId: string;
  visit: number;
  /** success, skipped, or `error` with its code. */
  outcome: string;
  next: string | null;
}

/** Visits in their order, by the path of the region they happened in; "" is the root. */
export type Trace = ReadonlyMap<string, readonly Entry[]>;

/** What chance decided in a run: how the regions of each split ended, and when each visit ended. */
export interface Schedule {
  trace: ReadonlyMap<string, readonly (Entry & { seq: number })[]>;
  regions: Readonly<Execution["groups"]>;
  /** How long delays took, milliseconds, by path and visit. */
  waited: ReadonlyMap<string, number>;
}

/** What a run says that no rule can know. */
export interface Told {
  /** How long delays took, by path and visit. */
  waited: Schedule["waited"];
  schedule?: Schedule;
}

/** The visits that ended, as the history tells them. */
export function scheduleOf(events: readonly ExecutionEvent[], regions: Execution["groups"]): Schedule {
  const trace = new Map<string, (Entry & { seq: number })[]>();
  const waited = new Map<string, number>();
  for (const event of events) {
    const outcome = outcomeOf(event);
    if (outcome === undefined || event.stepId === null || event.visit === null) continue;
    const { next, output } = event.data;
    const path = event.branch ?? "";
    const entry = { seq: event.seq, stepId: event.stepId, visit: event.visit, outcome, next: typeof next === "string" ? next : null };
    trace.set(path, [...(trace.get(path) ?? []), entry]);
    const { waitedMs } = (output ?? {}) as { waitedMs?: number };
    if (waitedMs !== undefined) waited.set(`${path}/${event.stepId}#${event.visit}`, waitedMs);
  }
  return { trace, regions, waited };
}

function outcomeOf({ type, data }: ExecutionEvent): string | undefined {
  if (type === "step.completed") return String(data["outcome"]);
  if (type === "step.skipped") return "skipped";
  return type === "step.failed" ? `error ${String(data["code"])}` : undefined;
}

export interface WatchedStore {
  store: Store;
  /** How regions ended, by execution and by the visit of the step they belong to. */
  regionsOf(executionId: string): Execution["groups"];
}

/** A store that remembers what its commits said of regions: the record forgets them when their step goes on. */
export function watchRegions(store: Store): WatchedStore {
  const seen = new Map<string, Execution["groups"]>();
  const executions: Store["executions"] = {
    ...store.executions,
    commit(commit) {
      const { id, groups } = commit.execution;
      const known = seen.get(id) ?? {};
      for (const [key, regions] of Object.entries(groups)) known[key] = { ...known[key], ...regions };
      seen.set(id, known);
      return store.executions.commit(commit);
    },
  };
  return { store: { ...store, executions }, regionsOf: (id) => seen.get(id) ?? {} };
}
