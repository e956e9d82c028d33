import type { Json, JsonObject } from "../../src/definition/json.ts";
import type { Step } from "../../src/definition/step.ts";
import type { WorkflowDefinition } from "../../src/definition/workflow.ts";
import { SignalboxError, type ErrorCode } from "../../src/errors.ts";
import type { Knowledge, RegionNames } from "./reference-state.ts";

/** The definition, or the schedule that was given, breaks a rule. */
export class Wrong extends Error {}

/** One token on its way: the root of the workflow, a branch, or a lane of a loop. */
export interface Flow {
  /** "" at the root. */
  path: string;
  end: string | null;
  knowledge: Knowledge;
  names: RegionNames;
  /** True where a failure in it is somebody's business outside. */
  hasHandler: boolean;
  /** Visits that ended later belong to a later region of this path. */
  before: number;
  /** Schedule only: true where enough other regions ended, so that this one may be cut off. */
  isDispensable: boolean;
}

/** How a flow ended. `cut`: it went no further, because it was not needed any more or because the execution failed. */
export type FlowEnd = { kind: "completed"; last: string | null } | { kind: "failed"; error: SignalboxError } | { kind: "cut" };
export type Left = { kind: "next"; next: string | null } | Exclude<FlowEnd, { kind: "completed" }>;
export const CUT = { kind: "cut" } as const;

/** A lane of a loop: round `index`, `index + lanes`, and so on. */
export interface Lane {
  items: Json[] | null;
  length: number | null;
  index: number;
  lanes: number;
  config: JsonObject;
}

export interface Round {
  index: number;
  output?: Json;
  error?: { code: ErrorCode };
}

export interface Judged {
  name: string;
  inner: Flow;
  end: FlowEnd;
  status: string;
}

/** Whether somebody outside takes care of a failure inside: the step the region belongs to, or whoever is around that. */
export function isHandled(flow: Flow, { config, onError, nextSteps }: Step, definition: WorkflowDefinition): boolean {
  if (config["onBranchError"] === "collect" || config["onItemError"] === "continue") return true;
  if (nextSteps.some(({ on }) => on === "error") || onError?.action === "continue" || onError?.action === "goto") return true;
  if (flow.path !== "") return flow.hasHandler;
  return definition.onError !== undefined && definition.onError.action !== "fail" && definition.onError.action !== "pause";
}

/** How a region ended in the schedule, as far as the rules allow it. */
export function statusTold(told: string | undefined, end: FlowEnd, isDispensable: boolean, { path }: Flow): string {
  if (told === "cancelled" ? !isDispensable : told !== end.kind)
    throw new Wrong(`region ${path} is ${told}, by the rules it is ${end.kind}`);
  return told ?? "";
}

export function loopOutput(rounds: Round[]): Json {
  const ordered = rounds.toSorted((left, right) => left.index - right.index);
  const errors = ordered.flatMap(({ index, error }) => (error ? [{ index, ...error }] : []));
  return { count: ordered.length, results: ordered.map(({ output }) => output ?? null), errors };
}

export function branchOutput(branches: readonly Judged[], required: number, waitFor: Json | undefined): Json {
  const completed = branches.filter(({ status }) => status === "completed");
  if (waitFor !== undefined && waitFor !== "all" && completed.length < required) throw new SignalboxError("STEP_FAILED");
  const outputs = completed.map(({ name, inner, end }): [string, Json] => [
    name,
    end.kind === "completed" && end.last !== null ? (inner.knowledge.steps.get(end.last)?.output ?? null) : null,
  ]);
  const told = branches.map(({ name, status, end }): [string, Json] => [
    name,
    { status, error: status === "failed" && end.kind === "failed" ? { code: end.error.code } : null },
  ]);
  return { results: Object.fromEntries(outputs), branches: Object.fromEntries(told) };
}
