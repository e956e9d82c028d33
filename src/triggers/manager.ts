import { randomUUID } from "node:crypto";
import type { Execution } from "../definition/execution.ts";
import type { IncomingEvent, TriggerOutcome } from "../definition/received-event.ts";
import type { Workflow } from "../definition/workflow.ts";
import { parseTraceparent } from "../definition/trace-context.ts";
import { notFound, SignalboxError } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { createActiveTriggers, triggerOfPath } from "./active-triggers.ts";
import { compileTriggers, type CompiledTrigger } from "./compiled-trigger.ts";
import { END_TYPES, listensTo } from "./completion.ts";
import { explainMatch } from "./explain.ts";
import { fireTrigger } from "./fire.ts";
import { dropCursors, ensureCursors, scheduleTriggers } from "./schedule-cursors.ts";
import type { Wake } from "./trigger.ts";
import type { TriggerTypes } from "./trigger-types.ts";
import { authenticate, type RawRequest, type ReadSecret } from "./webhook-auth.ts";

/** Triggers that look at one event side by side. */
const AT_ONCE = 16;

/** A request to a webhook: its raw content decides whether it is let in, and only then `readBody` reads it. */
export interface WebhookRequest extends RawRequest {
  readBody(): Promise<IncomingEvent["data"]>;
}

/** An event for a test: what is not said is filled in. */
export type PartialEvent = { [K in keyof IncomingEvent]?: IncomingEvent[K] | undefined };

/** Narrows who is asked about an event. */
export interface DispatchOptions {
  /** Triggers of this workflow only. */
  workflowId?: string | undefined;
  /** The event is a request that was let in at this path before: the webhook trigger of the path takes it. */
  path?: string | undefined;
}

/** A request that was let in: the event it is, and the trigger that is to take it. */
export interface AdmittedRequest {
  event: IncomingEvent;
  respond: "ack" | "wait";
  fire(): Promise<TriggerOutcome>;
}

/** What starts executions. */
export interface TriggerManager {
  readonly types: TriggerTypes;
  /**
   * Hands an event to every trigger that listens to its type. Each starts at most one execution for it, however often and in
   * however many processes the event arrives: the execution's id is computed from the trigger and the event's (source, id) or the
   * trigger's dedupeKey. What a trigger cannot take is a line of the receipt. Rejects only with what may pass (UNAVAILABLE,
   * LIMIT_EXCEEDED): not everything was looked at then, and the event must be sent again.
   *
   * A trigger counts as soon as its write was answered, whichever process it was.
   */
  dispatch(tenant: string, event: IncomingEvent, options?: DispatchOptions): Promise<TriggerOutcome[]>;
  /** What `dispatch` would do; starts nothing. */
  explain(tenant: string, event: IncomingEvent, options?: DispatchOptions): Promise<TriggerOutcome[]>;
  /** Whether a completion trigger may listen to ends of the execution's workflow; one written by another process counts within five seconds. */
  listensToEnd(execution: Pick<Execution, "tenant" | "workflowId">): Promise<boolean>;
  /** Hands the end of an execution to the completion triggers that listen to its workflow, with what `dispatch` promises. */
  ended(execution: Pick<Execution, "tenant" | "workflowId">, event: IncomingEvent): Promise<TriggerOutcome[]>;
  /**
   * Lets a request to `/hooks/{tenant}/{path}` in. NOT_FOUND for an unknown path, CONFLICT for one that several triggers have,
   * UNAUTHENTICATED with `details.reason`; what `readBody` throws.
   */
  admit(tenant: string, path: string, request: WebhookRequest): Promise<AdmittedRequest>;
  /** Fires one trigger with an event made for it; `dryRun` only tells what would come of it. NOT_FOUND where there is none. */
  fire(workflow: Workflow, triggerId: string, event: PartialEvent, options: { dryRun: boolean }): Promise<TriggerOutcome>;
  /** Triggers of a workflow as they are used, in the order of the definition. */
  of(workflow: Workflow): CompiledTrigger[];
  /** To be told of every write of a workflow (`WorkflowManagerOptions.writes`). */
  readonly writes: { before(workflow: Workflow): Promise<void>; after(workflow: Workflow): Promise<void> };
}

export interface TriggerManagerOptions {
  store: Store;
  executor: Executor;
  types: TriggerTypes;
  clock: Clock;
  readSecret: ReadSecret;
  /** How old what is known of other processes' completion triggers may be, milliseconds. */
  freshMs?: number;
}

/** Matches events to triggers and starts what they say. It keeps nothing that a crash could lose. */
export function createTriggerManager({
  store,
  executor,
  types,
  clock,
  readSecret,
  freshMs = 5_000,
}: TriggerManagerOptions): TriggerManager {
  const active = createActiveTriggers({ store, types, clock, freshMs });

  async function listening(tenant: string, event: IncomingEvent, { workflowId, path }: DispatchOptions = {}): Promise<CompiledTrigger[]> {
    const { byEventType, byPath } = await active.current(tenant);
    const found = path === undefined ? (byEventType.get(event.type) ?? []).filter(({ wake }) => hears(wake, event)) : byPath.get(path);
    return (found ?? []).filter((trigger) => workflowId === undefined || trigger.workflowId === workflowId);
  }

  async function endListeners(execution: Pick<Execution, "tenant" | "workflowId">): Promise<CompiledTrigger[]> {
    const { onCompletion } = await active.recent(execution.tenant);
    return onCompletion.filter(({ wake, workflowId }) => listensTo(wake, workflowId, execution));
  }

  return {
    types,

    dispatch: async (tenant, event, options) =>
      await askAll(await listening(tenant, event, options), async (trigger) => await fireTrigger(executor, trigger, event)),

    listensToEnd: async (execution) => (await endListeners(execution)).length > 0,

    async ended(execution, event) {
      return await askAll(await endListeners(execution), async (trigger) => await fireTrigger(executor, trigger, event));
    },

    explain: async (tenant, event, options) =>
      await askAll(await listening(tenant, event, options), async (trigger) => {
        const workflow = await store.workflows.get(tenant, trigger.workflowId);
        if (!workflow) throw notFound("workflow", trigger.workflowId);
        return await explainMatch({ store, workflow, trigger, event });
      }),

    async admit(tenant, path, request) {
      const trigger = triggerOfPath(await active.current(tenant), path);
      const { wake } = trigger;
      if (wake.on !== "request") throw notFound("webhook", path);
      const now = clock.now();
      const id = await authenticate(wake.auth, request, { read: readSecret, now });
      const data = await request.readBody();
      const issues = trigger.dataIssues(data);
      if (issues.length > 0) throw new SignalboxError("INVALID_INPUT", issues[0]?.message, { issues });
      const { traceparent } = request.headers;
      const event: IncomingEvent = {
        id,
        source: `/hooks/${path}`,
        type: "signalbox.webhook.received",
        time: new Date(now).toISOString(),
        data,
        ...(typeof traceparent === "string" && parseTraceparent(traceparent) && { extensions: { traceparent } }),
      };
      return { event, respond: wake.respond, fire: async () => await fireTrigger(executor, trigger, event) };
    },

    async fire(workflow, triggerId, partial, { dryRun }) {
      const trigger = compileTriggers(workflow, types).find(({ id }) => id === triggerId);
      if (!trigger) throw notFound("trigger", triggerId);
      const event: IncomingEvent = {
        ...partial,
        id: partial.id ?? randomUUID(),
        source: partial.source ?? sourceFor(trigger),
        type: partial.type ?? typeFor(trigger),
        time: partial.time ?? new Date(clock.now()).toISOString(),
        data: partial.data ?? null,
      };
      if (dryRun) return await explainMatch({ store, workflow, trigger, event });
      return await fireTrigger(executor, trigger, event);
    },

    of: (workflow) => compileTriggers(workflow, types),

    writes: {
      before: async (workflow) => await ensureCursors(store.schedules, scheduleTriggers(workflow, types)),
      async after(workflow) {
        active.forget(workflow.tenant);
        // Written is written: a cursor that stays is found to be off when it is due, and removed then.
        await dropCursors(store.schedules, scheduleTriggers(workflow, types)).catch(() => {});
      },
    },
  };
}

function hears(wake: Wake, { source }: IncomingEvent): boolean {
  return wake.on === "event" && (wake.source ?? source) === source;
}

async function askAll(
  triggers: readonly CompiledTrigger[],
  ask: (trigger: CompiledTrigger) => Promise<TriggerOutcome>,
): Promise<TriggerOutcome[]> {
  const outcomes: TriggerOutcome[] = [];
  for (let from = 0; from < triggers.length; from += AT_ONCE) {
    outcomes.push(...(await Promise.all(triggers.slice(from, from + AT_ONCE).map(ask))));
  }
  return outcomes;
}

function typeFor({ wake }: CompiledTrigger): string {
  if (wake.on === "event") return wake.eventType;
  return wake.on === "completion" ? END_TYPES[wake.statuses[0] ?? "COMPLETED"] : "signalbox.trigger.fired";
}

function sourceFor({ workflowId, id, wake }: CompiledTrigger): string {
  return (wake.on === "event" ? wake.source : undefined) ?? `/workflows/${workflowId}/triggers/${id}`;
}
