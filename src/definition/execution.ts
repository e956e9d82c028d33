import { z } from "zod";
import type { ExecutionEvent } from "./event.ts";
import { JsonRecord, JsonValue, type Json, type JsonObject } from "./json.ts";
import type { RetryEdit } from "./dead-letter.ts";
import type { Wait } from "./wait.ts";

/** The six statuses are frozen; what an execution waits for is told by `waits`. */
export const ExecutionStatus = z.enum(["PENDING", "RUNNING", "COMPLETED", "FAILED", "CANCELLED", "PAUSED"]).meta({ id: "ExecutionStatus" });
export type ExecutionStatus = z.infer<typeof ExecutionStatus>;

export const TERMINAL_STATUSES: ReadonlySet<ExecutionStatus> = new Set(["COMPLETED", "FAILED", "CANCELLED"]);

/** What is given where nothing is said; 0 to 9, the higher first. */
export const USUAL_PRIORITY = 5;

export const StepStatus = z.enum(["PENDING", "RUNNING", "WAITING", "COMPLETED", "SKIPPED", "FAILED"]).meta({ id: "StepStatus" });
export type StepStatus = z.infer<typeof StepStatus>;

/** Why an execution or a step failed. */
export const ExecutionError = z
  .object({
    code: z.string(),
    message: z.string(),
    stepId: z.string().nullable(),
    visit: z.number().int().nullable(),
    path: z.string().nullable().describe("JSON pointer into the definition where one part is to blame"),
    retryable: z.boolean(),
  })
  .meta({ id: "ExecutionError" });
export type ExecutionError = z.infer<typeof ExecutionError>;

export interface Usage {
  modelCalls: number;
  tokensIn: number;
  tokensOut: number;
  costUsd: number;
}

/** What started an execution. */
export interface TriggerInfo {
  type: string;
  id: string | null;
  summary: string;
  /** The event behind it, visible to expressions as `event`. */
  event: Json;
}

/** A step visit under way when the record was last written; recovery counts a further attempt from it. */
export interface StepInFlight {
  stepId: string;
  visit: number;
  attempt: number;
  startedAt: string;
}

/**
 * One run, as stored. Only the holder of the lease writes it, and every write is guarded by (`epoch`, `lastSeq`) of the read it
 * is based on; a stale holder's write changes nothing.
 */
export interface Execution {
  /** Version of this record's shape; a worker leaves alone what it does not know. */
  schema: 1;
  id: string;
  tenant: string;
  workflowId: string;
  workflowVersion: number;
  status: ExecutionStatus;
  input: JsonObject;
  /** Variables as of the last parking, pause or end; `stateAt` tells them at every seq. Secret ones are left out. */
  variables: JsonObject;
  /** Variables given at start, over the definition's defaults. */
  initialVariables: JsonObject;
  trigger: TriggerInfo;
  startedBy: string;
  /** W3C `traceparent` of the request that started it; absent where none came with it. */
  startedIn?: string | undefined;
  priority: number;
  tags: string[];
  idempotencyKey: string | null;
  /** Digest of the start request, so that a key reused with another request is noticed. */
  requestDigest: string | null;
  createdAt: string;
  startedAt: string | null;
  endedAt: string | null;
  updatedAt: string;
  output: Json;
  error: ExecutionError | null;
  waits: Wait[];
  /** True while nothing can go on before one of `waits` is answered. */
  isParked: boolean;
  /** Events that arrived before a step waits for them. */
  mailbox: SignalMessage[];
  inFlight: Record<string, StepInFlight>;
  /** The newest checkpoint of each LangGraph namespace: told by whoever held the lease, never by comparing clocks. */
  checkpoints: Record<string, string>;
  /** Regions that ended, by the visit of the step they belong to; gone when the step goes on. */
  groups: Record<string, Record<string, "completed" | "failed" | "cancelled">>;
  /** Completed visits that can be undone, in order of completion. */
  compensations: { stepId: string; path: string; visit: number; output: { v: Json } | { r: string } }[];
  stepsTaken: number;
  stepsTotal: number;
  usage: Usage;
  lastSeq: number;
  /** Fencing number; every claim adds one. */
  epoch: number;
  owner: string | null;
  /** Epoch milliseconds until which `owner` may be taken to be alive. */
  leaseUntil: number | null;
  /** Epoch milliseconds from which on somebody should look at this execution: unclaimed, lease over, timer due. Null: nothing to do. */
  wakeAt: number | null;
  /** When `limits.maxDuration` ends it, epoch milliseconds. */
  deadlineAt: number | null;
  /** Ids of the newest signals taken in, so that one sent twice counts once. */
  seenSignals: string[];
  /** What verbs did to it, so that one asked twice or late is known for what it is; absent: nothing yet. */
  verbs?: VerbsTaken | undefined;
  /** The newest events of the tenant that waiting steps took, so that none is taken twice at one place; absent where none was. */
  taken?: TakenEvents | undefined;
  /** Claims without any progress since; a poison execution is failed at a bound. */
  idleClaims: number;
  parent: Parent | null;
  /** Set where somebody said that nothing is to be done about its failure. */
  dismissal?: { by: string; at: string; note: string | null } | undefined;
  /** What retries by hand changed for visits that are not over, by path. */
  overrides?: Record<string, Override> | undefined;
  /** Name of the limit its workflow sets on how many run at once; absent where it sets none. */
  limit?: string | undefined;
  /** Places it holds under limits, from its claim (or its start) to its end. */
  permits?: Permit[] | undefined;
  /** What it waits in line for before it may begin; absent while it need not. */
  queued?: { limit: string; since: string } | undefined;
  /** When retention may delete it, epoch milliseconds; set at the end. */
  expireAt: number | null;
  /** Events up to this seq were taken by everybody outside who wants them; absent: none was ever handed on. */
  relayedSeq?: number | undefined;
  /**
   * Epoch milliseconds from which on somebody should hand on events after `relayedSeq`, where nobody holds the execution. Null: nothing
   * to hand on; absent: there never was.
   */
  relayAt?: number | null | undefined;
}

export interface VerbsTaken {
  /** Pauses, resumes and retries that took effect. */
  turns: number;
  /** Retries among them. */
  retries: number;
  /** The newest messages that came under a key, with a digest of what they asked for. */
  keyed: { id: string; request: string }[];
}

/** The execution that started this one. */
export interface Parent {
  executionId: string;
  /** The step that did. */
  stepId: string;
  /** What the parent waits with for the end of this one; null: nobody waits. */
  waitId: string | null;
  /** 1 for a child, 2 for a child's child. */
  depth: number;
}

/** An execution that does not exist yet, with its first events (seq 1..n = `execution.lastSeq`). */
export interface NewExecution {
  execution: Execution;
  events: ExecutionEvent[];
}

/** What a person changed for one visit of a step, to try it again. */
export interface Override {
  visit: number;
  variables: JsonObject;
  config: JsonObject;
  input: JsonObject | null;
}

/** One numbered place under a limit; no two executions have the same. */
export interface Permit {
  limit: string;
  number: number;
}

/** A named event for one execution, kept until a step takes it. */
export interface SignalMessage {
  id: string;
  event: string;
  data: Json;
  at: string;
  /** Set where it is an event of the tenant that one wait asked for and matched. */
  delivery?: EventDelivery | undefined;
}

/** Which wait an event of the tenant is delivered to, and what it is kept under. */
export type EventDelivery = {
  waitId: string;
  receivedId: string;
  receivedAt: string;
  source: string;
  eventId: string;
};

export interface TakenEvents {
  /** `receivedId:path` of the step, oldest first. */
  newest: { key: string; receivedAt: string }[];
  /** Events received up to here are not looked back for any more: what was taken of them is not remembered. */
  floor: string | null;
}

/** How a failed step is left: tried again, passed over, or tried again with something changed. */
export const RetryMode = z.enum(["retry", "skip", "edit"]).meta({ id: "RetryMode" });
export type RetryMode = z.infer<typeof RetryMode>;

/** A message for the holder of an execution: durable, consumed in the commit that acts on it. */
export interface InboxMessage {
  /** Create-if-absent: a second message with the id is refused. */
  id: string;
  tenant: string;
  executionId: string;
  at: string;
  principal: string;
  /** The turns the sender knew of; for a resume, up to the pause it is to end. */
  basedOn?: { turns: number; retries: number } | undefined;
  /** Digest of what is asked for, where it came under a key: it counts once although it may be sent again. */
  request?: string | undefined;
  body:
    | { type: "answer"; waitId: string; answer: "given"; data: JsonObject }
    | { type: "cancel"; reason: string | null }
    | { type: "pause"; reason: string | null }
    | { type: "resume" }
    | { type: "retry"; mode: RetryMode; output: Json; edit?: RetryEdit | undefined; shown?: JsonObject | undefined }
    | { type: "dismiss"; note: string | null }
    | { type: "signal"; event: string; data: Json; eventId: string | null; delivery?: EventDelivery };
}

export const ExecutionInput = z
  .strictObject({
    input: JsonRecord.optional().describe("Checked against the workflow's input schema"),
    inputData: JsonRecord.optional().describe("Another name of `input`"),
    variables: JsonRecord.optional().describe("Over the definition's defaults"),
    version: z.number().int().min(1).optional().describe("The newest unless told"),
    tags: z.array(z.string().min(1).max(64)).max(50).optional(),
    priority: z.number().int().min(0).max(9).optional(),
  })
  .meta({ id: "ExecutionInput" });
export type ExecutionInput = z.infer<typeof ExecutionInput>;

export const QueuedView = z
  .object({
    limit: z.string().describe("`workflow:<id>`, with its key where there is one, or `tenant`"),
    since: z.string(),
  })
  .meta({ id: "Queued" });

export const WaitView = z
  .object({
    id: z.string(),
    kind: z.string(),
    stepId: z.string(),
    visit: z.number().int(),
    since: z.string(),
    expiresAt: z.string().nullable(),
  })
  .meta({ id: "Wait" });

/** One visit of a step, folded from the events. */
export const StepRecord = z
  .object({
    stepId: z.string(),
    visit: z.number().int(),
    branch: z.string().nullable(),
    status: StepStatus,
    attempts: z.number().int(),
    startedAt: z.string().nullable(),
    endedAt: z.string().nullable(),
    durationMs: z.number().nullable(),
    output: JsonValue,
    error: ExecutionError.nullable(),
    next: z.string().nullable(),
  })
  .meta({ id: "StepRecord" });
export type StepRecord = z.infer<typeof StepRecord>;

export const CheckpointView = z
  .object({ seq: z.number().int(), stepId: z.string().nullable(), label: z.string(), createdAt: z.string() })
  .meta({ id: "Checkpoint" });
export type CheckpointView = z.infer<typeof CheckpointView>;
