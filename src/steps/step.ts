import type { BaseCheckpointSaver } from "@langchain/langgraph-checkpoint";
import type { z } from "zod";
import type { Actions } from "../actions/action.ts";
import type { ModelCalls } from "../ai/model-call.ts";
import type { Decision } from "../definition/decision.ts";
import type { EventDraft, PublishedEvent } from "../definition/event.ts";
import type { NewExecution } from "../definition/execution.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { MemoryConfig, RememberedMessage } from "../definition/memory.ts";
import type { NextStep, Outcome, Step } from "../definition/step.ts";
import type { WaitAnswer, WaitKind } from "../definition/wait.ts";
import type { Vote } from "../definition/voting.ts";
import type { Policy } from "../definition/workflow.ts";
import type { Issue } from "../errors.ts";
import type { HttpFetch } from "../outbound/http.ts";
import type { Tools } from "../tools/tool.ts";

/** A kind of step: one file `<name>.step.ts` in this folder or in the operator's own (`SIGNALBOX_STEPS`). */
export interface StepType<C = unknown> {
  type: string;
  title: string;
  description: string;
  /** Other names a definition may use for it. */
  aliases?: readonly string[];
  /** Palette group of a designer. */
  group: "AI" | "Work" | "Flow" | "Wait";
  config: z.ZodType<C>;
  /**
   * True: depends on nothing but its inputs, does no I/O and cannot wait. A straight stretch of pure steps runs inside one
   * LangGraph node (one superstep, one commit) with the same events and the same trace.
   */
  pure?: boolean;
  /** True: `state()` shows it the outputs of all steps, not only of those its expressions name. */
  readsAllSteps?: boolean;
  /** Config fields that hold bare CEL (JSON pointers, `*` for every element): checked at save time, never interpolated. */
  expressions?: readonly string[];
  /** Config fields that are never interpolated although they are strings. */
  literal?: readonly string[];
  /** Ways out that the config implies, read before `nextSteps`. */
  routes?(config: C): NextStep[];
  /**
   * Regions this type splits into: each starts at `start` and ends where it would enter `end` (null: at a step without a way out).
   * The compiler makes a subgraph of each; the checker refuses edges out of a region.
   */
  regions?(config: C): { name: string; start: string; end: string | null }[];
  /** How a repeat after a crash is treated where the step itself does not say. */
  effect?(config: C): Step["effect"];
  /** True: each region is a lane that runs its body again and again, as `Split.loop` says. */
  runsRounds?: boolean;
  /** The step's result once its regions ended. A type with regions must have it. */
  gather?(context: StepContext<C>, results: RegionResult[]): StepResult;
  /** Checks beyond the schema; pointers are relative to the step. */
  check?(config: C, step: Step): Issue[];
  run(context: StepContext<C>): Promise<StepResult> | StepResult;
  /** Goes on after a wait this step asked for. A type that waits must have it. */
  resume?(context: StepContext<C>, answer: WaitAnswer, state: Json): Promise<StepResult> | StepResult;
}

/** Declares a step type; the config's type is inferred from its schema. */
export function defineStep<C>(type: StepType<C>): StepType<C> {
  return type;
}

/** What the process loads when it starts and some step types are made of. */
export interface StepServices {
  actions: Actions;
  tools: Tools;
}

/** A step type that is made when these are known. */
export interface UnboundStep {
  bind(services: StepServices): StepType;
}

/** Declares a step type over what the process has loaded. */
export function defineStepWith<C>(make: (services: StepServices) => StepType<C>): UnboundStep {
  return { bind: (services) => make(services) };
}

/** How a run of a step ended. A failure is thrown as SignalboxError. */
export type StepResult =
  | {
      kind: "done";
      output?: Json;
      outcome?: Extract<Outcome, "success" | "rejected" | "timeout">;
      goto?: string;
      /** Executions that begin in the commit that records this result, and nobody waits for. */
      starts?: NewExecution[];
      remember?: Remember | undefined;
    }
  | { kind: "wait"; wait: WaitRequest }
  | { kind: "split"; split: Split };

/** What a finished step adds to a conversation, in the commit that says it is finished. */
export interface Remember {
  memory: MemoryConfig;
  messages: RememberedMessage[];
}

/** How a step with regions runs them. Evaluated once, when the step is entered. */
export interface Split {
  /** Regions that must complete before the step goes on; the others are cancelled then. */
  quorum: number;
  /** failFast: the first failed region fails the step and cancels the others; collect: failures are results. */
  onError: "failFast" | "collect";
  /** What `item` is, by region; null unless told. */
  items?: Record<string, Json> | undefined;
  /** Set when each region is a lane of a loop that runs its body again and again. */
  loop?: SplitLoop | undefined;
}

/** The rounds of a loop. Lane k of n takes rounds k, k + n, k + 2n, ... */
export interface SplitLoop {
  /** One round per element; kept once, addressed by index. */
  items: Json[] | null;
  /** One round per number below; null where `items` or `condition` say. */
  count: number | null;
  /** Bare CEL, asked before each round. */
  condition: string | null;
  maxIterations: number;
  /** collect: a failed round is a result and the loop goes on. */
  onItemError: "fail" | "continue";
  /** A declared variable that holds the item as well. */
  itemVariable: string | null;
  /** A declared variable that holds the number of the round as well; absent in splits of earlier versions. */
  indexVariable?: string | null | undefined;
}

/** How one region ended. */
export interface RegionResult {
  name: string;
  status: "completed" | "failed" | "cancelled";
  /** Output of its last step; for a lane, the outputs of its rounds as {index, output | error}. */
  output: Json;
  error: { code: string; message: string } | null;
}

/** What a step asks to be parked for. */
export interface WaitRequest {
  kind: WaitKind;
  /** What the wait is answered by; made up unless told. */
  id?: string | undefined;
  /** Epoch milliseconds; null waits for ever. */
  dueAt: number | null;
  /** Handed back to `resume`; evaluated once, here. */
  state: Json;
  /** Given when somebody outside may answer: listed as an open wait. */
  open?: { title: string; request: JsonObject; topic?: string | undefined; votes?: Vote[] | undefined } | undefined;
  /** When people are reminded of it: first after `afterMs`, then every `everyMs`. */
  remind?: { afterMs: number; everyMs: number | null } | undefined;
  /** Executions that begin in the commit that parks the step: what it waits for exists if and only if it waits. */
  starts?: NewExecution[] | undefined;
  /** What the history says of it, after the step's id; made from its kind unless told. */
  summary?: string | undefined;
}

/** A child execution a step wants to start. */
export interface ChildRequest {
  workflowId: string;
  version: number | undefined;
  input: JsonObject;
  tags: string[];
  /** True: the step parks on a wait whose id is the child's, and the child's end answers it. */
  isAwaited: boolean;
}

export interface Children {
  /**
   * The child execution of this attempt, checked and not started: it begins when the step's result is committed. NOT_FOUND,
   * WORKFLOW_NOT_ACTIVE, INVALID_INPUT (pointers into the input), CHILD_DEPTH_EXCEEDED.
   */
  prepare(request: ChildRequest): Promise<NewExecution>;
  /** The output of a child that ended, where it was too large for the message about its end. */
  outputOf(executionId: string): Promise<Json>;
}

/** A value in a graph's state: itself, or a reference to one that is stored once because it is large. */
export type Kept = { v: Json } | { r: string };

/**
 * The LangGraph thread of one visit, for a step that does several things outside and runs a graph of its own over them: its
 * checkpoints are part of the execution's commits, so that each superstep is durable before the next begins and the attempt after a
 * crash or a failure goes on there. Over with the visit.
 */
export interface StepThread {
  /** For `compile({ checkpointer })`. */
  checkpointer: BaseCheckpointSaver;
  /** Aborted when this process is about to give the execution away: the graph should stop after its superstep. */
  leaving: AbortSignal;
  /** A value as the graph's state should hold it; what is large is written with the next superstep, once. */
  keep(value: Json): Kept;
  read(kept: readonly Kept[]): Promise<Json[]>;
}

/** All a step can do. Capabilities are given, never imported, so that a step's test is a literal object. */
export interface StepContext<C = unknown> {
  /** Parsed config with every `${ }` evaluated, once. */
  config: C;
  /** The step's evaluated `input` mapping; the execution's input where there is none. */
  input: Json;
  step: Step;
  executionId: string;
  workflowId: string;
  workflowVersion: number;
  tenant: string;
  /** Region path + step id. */
  path: string;
  visit: number;
  attempt: number;
  /** `executionId/path/visit`: the same on every attempt and after every crash. */
  idempotencyKey: string;
  /** Aborted on cancel, timeout and loss of the lease. */
  signal: AbortSignal;
  now(): number;
  /** Evaluates bare CEL in the step's scope plus `extra`; EXPRESSION_FAILED where it cannot. */
  evaluate(expression: string, extra?: JsonObject): Json;
  /** Ways for `outcome` whose `when` is true now (or absent), in order, and those that are not, with the reason. */
  routes(outcome: Outcome): { open: NextStep[]; closed: { next: NextStep; reason: string }[] };
  /** What expressions see, redacted of secret variables: for prompts. */
  state(): JsonObject;
  policy: Policy | undefined;
  models: ModelCalls;
  /** W3C trace context of this visit, for clients that bring their own HTTP; `fetch` sends it by itself. */
  traceparent?: string | undefined;
  /** Asks somebody outside, through the guard; ends with the step's own signal. */
  fetch: HttpFetch;
  /** An address that brings this visit on when it is called, once: the step then waits with the kind `callback` and this id. */
  openCallback(): Promise<{ url: string; waitId: string }>;
  decisions: {
    /** The record of this visit, when it was decided before (crash, wait). */
    recorded(): Promise<Decision | undefined>;
    /** Stores the record in a commit of its own before it takes effect. */
    record(decision: Decision): Promise<void>;
  };
  /** What was said before in a conversation, as much of it as the step asks for, oldest first. */
  recall(memory: MemoryConfig): Promise<RememberedMessage[]>;
  thread: StepThread;
  children: Children;
  /** Adds an event to the history with the step's next commit. */
  event(draft: Pick<EventDraft, "type" | "summary" | "data">): void;
  /** Publishes an event: recorded in the commit that ends this visit, once, and handed on after it, at least once. */
  publish(event: PublishedEvent): void;
  log(message: string, fields?: Record<string, unknown>): void;
}
