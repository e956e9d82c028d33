import type { Principal } from "../definition/access.ts";
import type { ExecutionEvent, ModelToken } from "../definition/event.ts";
import type { RetryEdit } from "../definition/dead-letter.ts";
import type { CheckpointView, Execution, ExecutionInput, RetryMode, StepRecord, TriggerInfo } from "../definition/execution.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { Page } from "../definition/page.ts";
import type { OpenWait } from "../definition/wait.ts";
import type { ExecutionQuery, WaitQuery } from "../ports/store.ts";
import type { Tasks } from "./tasks.ts";

/** Who acts, as far as the executor cares; the API checked the scope before. */
export interface Actor {
  id: string;
  tenant: string;
  /** What it belongs to, where it matters: who is asked for an approval. */
  groups?: Principal["groups"];
}

export interface Once {
  idempotencyKey?: string | undefined;
}

/** The one executor behind REST, GraphQL, WebSocket and triggers. Everything it accepts is durable when its promise resolves. */
export interface Executor {
  /**
   * Creates an execution and hints the workers. The same `idempotencyKey` gives the first one again (`created: false`), or
   * IDEMPOTENCY_MISMATCH when the request differs. NOT_FOUND, WORKFLOW_NOT_ACTIVE, INVALID_INPUT (pointers into the input).
   */
  start(actor: Actor, request: StartRequest): Promise<{ execution: Execution; created: boolean }>;
  get(tenant: string, id: string): Promise<Execution>;
  list(tenant: string, query: ExecutionQuery): Promise<Page<Execution>>;
  /** Resolves with the execution when it ended or is parked with nothing left to do but wait, or as it is after `timeoutMs`. */
  waitForEnd(tenant: string, id: string, options: { timeoutMs: number; signal?: AbortSignal }): Promise<Execution>;

  /**
   * The verbs. Each is durable on return, and answers with the execution after it took effect, or as it is after two seconds
   * where a busy step holds it up. CONFLICT where the status does not allow it; cancelling what is cancelled is no error. A verb
   * that is overtaken by what was asked after it has no effect. Under one `idempotencyKey` it counts once for the execution, and is
   * answered again; IDEMPOTENCY_MISMATCH where something else was asked under it.
   */
  cancel(actor: Actor, id: string, reason?: string, once?: Once): Promise<Execution>;
  pause(actor: Actor, id: string, reason?: string, once?: Once): Promise<Execution>;
  /** Goes on; takes back a pause that a busy step still holds up. */
  resume(actor: Actor, id: string, once?: Once): Promise<Execution>;
  /**
   * Goes on with a failed execution, or one that a failure paused, at its failed step: again, again with changes, or past it with
   * `output`. Idempotency keys stay the same. Not `isAwaited`: answers with the execution as it was.
   */
  retry(
    actor: Actor,
    id: string,
    options?: Once & { mode?: RetryMode; output?: Json; edit?: RetryEdit | undefined; isAwaited?: boolean },
  ): Promise<Execution>;
  /** Says that nothing is to be done about a failed execution. A later retry takes that back. */
  dismiss(actor: Actor, id: string, options?: Once & { note?: string | null; isAwaited?: boolean }): Promise<Execution>;
  /** Delivers a named event; one that arrives before a step waits for it is kept. The same `eventId` counts once. */
  signal(actor: Actor, id: string, signal: Once & { event: string; data?: Json; eventId?: string }): Promise<Execution>;

  /** Limits under which something runs or waits, by name; `max` null where it is not set any more. */
  limits(tenant: string, limit: number): Promise<{ limit: string; max: number | null; inUse: number; queued: number }[]>;
  waits(tenant: string, query: WaitQuery): Promise<Page<OpenWait>>;
  wait(tenant: string, id: string): Promise<OpenWait>;
  /**
   * Votes on an open question; the vote that decides answers it. FORBIDDEN for who is not asked, ALREADY_VOTED for a second vote,
   * ALREADY_DECIDED once it is over.
   */
  answer(actor: Actor, waitId: string, data: JsonObject): Promise<OpenWait>;

  readonly tasks: Tasks;
  /** Takes the call that a webhook step waits for: NOT_FOUND, CALLBACK_OVER. */
  callback(token: string, body: Json): Promise<{ executionId: string; isRepeat: boolean }>;

  events(tenant: string, id: string, page: { afterSeq?: number; beforeSeq?: number; limit: number }): Promise<ExecutionEvent[]>;
  /**
   * Every event after `afterSeq`, in order, without gap or repeat, in batches (50 ms or 200 events); ends after the terminal
   * event or when `signal` aborts. NOT_FOUND before the first batch where there is no such execution.
   */
  follow(tenant: string, id: string, options: { afterSeq: number; signal: AbortSignal }): AsyncIterable<ExecutionEvent[]>;
  /** Model tokens of an execution that runs in this process. Transient: nothing is replayed. */
  tokens(tenant: string, id: string, options: { signal: AbortSignal }): AsyncIterable<ModelToken>;
  /** One row per visit, folded from the events. */
  steps(tenant: string, id: string): Promise<StepRecord[]>;
  /** `steps` of several executions in one round trip to the store; an unknown id has no entry. */
  stepsOf(tenant: string, ids: readonly string[]): Promise<Map<string, StepRecord[]>>;
  checkpoints(tenant: string, id: string): Promise<CheckpointView[]>;
  /** Variables and step outputs as they were right after event `seq`. */
  stateAt(tenant: string, id: string, seq: number): Promise<JsonObject>;
}

export interface StartRequest extends Pick<ExecutionInput, "variables" | "version" | "tags" | "priority"> {
  workflowId: string;
  input: JsonObject;
  idempotencyKey?: string | undefined;
  trigger?: TriggerInfo | undefined;
  /** W3C `traceparent` it came with; what is none is left out. */
  traceparent?: string | undefined;
  /** Chosen by the caller where the id itself is the dedupe (triggers, children); random unless told. */
  id?: string | undefined;
}
