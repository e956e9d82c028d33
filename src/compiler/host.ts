import type { ModelCalls } from "../ai/model-call.ts";
import type { Circuit } from "../circuit/circuit.ts";
import type { Decision } from "../definition/decision.ts";
import type { EventDraft } from "../definition/event.ts";
import type { Execution, ExecutionError, NewExecution } from "../definition/execution.ts";
import type { Json } from "../definition/json.ts";
import type { Memory, MemoryAppend } from "../definition/memory.ts";
import type { Breaker } from "../definition/step.ts";
import type { Wait } from "../definition/wait.ts";
import type { HttpFetch } from "../outbound/http.ts";
import type { Clock } from "../ports/clock.ts";
import type { Children, RegionResult, StepThread, WaitRequest } from "../steps/step.ts";

/** Key of LangGraph's `configurable` that says for which session a graph runs. */
export const SESSION = "session";

/** A completed visit that can be undone. */
export type Compensation = Execution["compensations"][number];

/** Where in an execution something happens. */
export interface StepPlace {
  stepId: string;
  /** Region path, null at the root. */
  branch: string | null;
  /** Region path + step id. */
  path: string;
  visit: number;
  attempt: number;
}

/** An event with the moment it happened. */
export type TimedDraft = EventDraft & { at: string };

/** What a node hands over to be committed together with LangGraph's writes of its task: all of it or nothing. */
export interface Staged {
  events: TimedDraft[];
  /** Steps entered, counted against `limits.maxSteps`. */
  steps: number;
  /** Paths of the visits this task finished. */
  finished: string[];
  /** Waits this task is done with. */
  closedWaits: string[];
  values: { ref: string; value: Json }[];
  /** What this task adds to memories of the tenant. */
  memories?: MemoryAppend[] | undefined;
  /** Set when the workflow ended with this task: with its output, or as failed after its compensations. */
  end?: { output: Json } | { failure: ExecutionError } | undefined;
  /** Visits this task finished that can be undone. */
  compensable?: Compensation[] | undefined;
  /** The visit this task undid. */
  compensated?: Pick<Compensation, "path" | "visit"> | undefined;
  /** Set when this task was a region. */
  region?: { group: string; name: string; status: RegionResult["status"]; ns: string } | undefined;
  /** Executions that begin with this task's commit. */
  starts?: NewExecution[] | undefined;
  /** Groups whose step goes on, or begins again with the regions of `again` not ended. */
  closedGroups?: { key: string; again: readonly string[] }[] | undefined;
  /** Paths of visits that go on, whose changes by hand this task took into the state. */
  edited?: string[] | undefined;
}

/** What decides when the regions of a visit are enough. */
export interface GroupRules {
  quorum: number;
  failFast: boolean;
  /** Region paths by name, to withdraw what their steps wait for. */
  branches: Record<string, string>;
}

/** A place that goes on later: because of a wait, a long back-off, or never unless somebody retries. */
export interface Parking {
  waitId: string;
  wait: WaitRequest;
  staged: Staged;
  /** Set when the execution fails here; `pause` asks for a person instead of an end. */
  failure?: { error: ExecutionError; pause: boolean } | undefined;
}

/** What the compiler needs of the executor; implemented by the session that holds the execution's lease. */
export interface StepHost {
  readonly execution: Readonly<Execution>;
  readonly clock: Clock;
  /** Aborted on cancel and on loss of the lease, with a SignalboxError as its reason. */
  readonly signal: AbortSignal;
  /** Steps entered so far, those included that other branches are at this moment: a limit holds for all of them together. */
  readonly stepsEntered: number;
  /** Counts a step, or takes it back because it will be entered again. */
  countStep(by: 1 | -1): void;
  /** The wait this place is parked on, or was until somebody answered. */
  waitAt(path: string, visit: number): Wait | undefined;
  /** Attempts that were begun in this visit, before a crash included. */
  attemptsAt(path: string, visit: number): number;
  /**
   * Tells that an attempt with effects begins. Resolves once the claim is durable: until then only pure steps may run, because
   * another worker may be running them too. Others see the event with the next commit, 25 ms later at the latest; `isDurable` waits
   * for it.
   */
  begin(place: StepPlace, event: TimedDraft, options?: { isDurable: boolean }): Promise<void>;
  /** Adds an event to the next commit, whatever it is for. */
  note(event: TimedDraft): void;
  /** Makes events durable before anything else happens (retry records). */
  record(events: TimedDraft[]): Promise<void>;
  stage(taskId: string, staged: Staged): void;
  /**
   * Aborted once enough regions of the group ended, or one failed fast: the others end as cancelled. Made by the first caller with
   * rules; who ended is part of the record, so a restart knows it.
   */
  groupSignal(key: string, rules?: GroupRules): AbortSignal | undefined;
  /** Ids of the waits inside a region. */
  waitsWithin(branch: string): string[];
  /** Registers what the place is parked on; the node then interrupts. */
  park(place: StepPlace, parking: Parking, interruptId: string): void;
  /** Large values by reference. */
  values(refs: readonly string[]): Promise<Map<string, Json>>;
  /** What is remembered under a key, by whichever execution. */
  memory(key: string): Promise<Memory | undefined>;
  models(place: StepPlace): ModelCalls;
  readonly fetch: HttpFetch;
  /** A new address that brings the visit on, durable with its digest alone. */
  openCallback(place: StepPlace): Promise<{ url: string; waitId: string }>;
  circuit(breaker: Breaker): Circuit;
  /** W3C `traceparent` of a visit; undefined where nobody gives one. */
  traceparent(place: StepPlace): string | undefined;
  thread(place: StepPlace): StepThread;
  children(place: StepPlace): Children;
  decision(place: StepPlace): Promise<Decision | undefined>;
  recordDecision(place: StepPlace, decision: Decision): Promise<void>;
  log(message: string, fields: Record<string, unknown>): void;
}
