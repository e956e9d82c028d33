import {
  receivedIdOf,
  type EventReceipt,
  type EventResult,
  type EventVia,
  type IncomingEvent,
  type ReceivedEvent,
  type TriggerOutcome,
} from "../definition/received-event.ts";
import { SignalboxError, type Issue } from "../errors.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { Queue } from "../ports/queue.ts";
import type { Store } from "../ports/store.ts";
import type { DispatchOptions, TriggerManager, WebhookRequest } from "../triggers/manager.ts";
import type { EventTypes } from "./event-types.ts";
import { mergeResults } from "./merge-results.ts";
import { createWakeWaits } from "./wake-waits.ts";

/** How an event came in. */
export interface TakeOptions {
  via: EventVia;
}

/** How a stored event is fired again. */
export interface RefireOptions {
  /** Triggers of this workflow only; then nobody who waits is woken. */
  workflowId?: string | undefined;
  /** Fires a copy under an id of its own, made of this key: what had started starts again, once for each key. */
  again?: string | undefined;
}

/** The one way of events in, whoever brings them. */
export interface EventIngest {
  /**
   * Checks an event against its registered type, hands it to the triggers, keeps it, and delivers it to the steps that wait for it.
   * All of that is durable when the promise resolves. Doing it again with the same event starts nothing and wakes nobody twice.
   * EVENT_MISMATCH where it does not fit its type; else rejects only with what may pass, and then the event must be sent again.
   */
  take(tenant: string, event: IncomingEvent, options: TakeOptions): Promise<EventReceipt>;
  /** What would make `take` refuse the event: pointers start at `/data`. */
  issues(tenant: string, event: IncomingEvent): Promise<Issue[]>;
  /** A request to a webhook, by `TriggerManager.admit`; kept like any other event once its trigger has taken it. */
  receive(tenant: string, path: string, request: WebhookRequest): Promise<{ outcome: TriggerOutcome; respond: "ack" | "wait" }>;
  /** Fires an event of the store again. */
  refire(received: ReceivedEvent, options?: RefireOptions): Promise<EventReceipt>;
  /** What `refire` would start; does nothing. */
  explain(received: ReceivedEvent, options?: RefireOptions): Promise<TriggerOutcome[]>;
}

export interface EventIngestOptions {
  store: Store;
  queue: Queue;
  triggers: TriggerManager;
  types: EventTypes;
  clock: Clock;
  /** How long events are kept, milliseconds. */
  keepMs: number;
  /** Told of every event that was taken in; a repeat counts again. */
  onTaken?: ((via: EventVia, result: EventResult) => void) | undefined;
}

/** It keeps nothing that a crash could lose: who brought the event gets no receipt then and brings it again. */
export function createEventIngest({ store, queue, triggers, types, clock, keepMs, onTaken }: EventIngestOptions): EventIngest {
  const wakeWaits = createWakeWaits({ store, queue, clock });

  function received(tenant: string, event: IncomingEvent, via: EventVia): ReceivedEvent {
    const now = clock.now();
    const result: EventResult = { outcomes: [], woken: [] };
    return { id: receivedIdOf(event), tenant, event, via, receivedAt: isoTime(clock), expireAt: now + keepMs, result };
  }

  /**
   * Written after the triggers, so that it is one write with what they made of it; and before the waits are looked at, because a step
   * that begins to wait meanwhile looks for the event here.
   */
  async function keep(draft: ReceivedEvent, outcomes: TriggerOutcome[]): Promise<EventReceipt> {
    const first: ReceivedEvent = { ...draft, result: { outcomes, woken: [] } };
    const isNew = await store.received.add(first);
    const woken = await wakeWaits(first);
    const hasNews = woken.length > 0 || (!isNew && outcomes.some(({ status }) => status === "STARTED"));
    if (hasNews) await addResult(first, { outcomes, woken }, isNew ? first.result : undefined);
    onTaken?.(draft.via, { outcomes, woken });
    return receiptOf(first, { outcomes, woken });
  }

  async function addResult({ tenant, id }: ReceivedEvent, result: EventResult, before?: EventResult): Promise<void> {
    const known = before ?? (await store.received.get(tenant, id))?.result;
    if (known) await store.received.setResult(tenant, id, mergeResults(known, result));
  }

  return {
    issues: async (tenant, event) => await types.issues(tenant, event),

    async take(tenant, event, { via }) {
      const issues = await types.issues(tenant, event);
      if (issues.length > 0) throw mismatch(event, issues);
      const draft = received(tenant, event, via);
      return await keep(draft, await triggers.dispatch(tenant, event));
    },

    async receive(tenant, path, request) {
      const { event, respond, fire } = await triggers.admit(tenant, path, request);
      const draft = received(tenant, event, "webhook");
      const outcome = await fire();
      await keep(draft, [outcome]);
      return { outcome, respond };
    },

    async refire(stored, { workflowId, again } = {}) {
      const { tenant } = stored;
      const event = copyOf(stored.event, again);
      const outcomes = await triggers.dispatch(tenant, event, dispatchOf(stored, workflowId));
      const woken = workflowId === undefined ? await wakeWaits(stored, { isReplayed: true }) : [];
      const hasNews = woken.length > 0 || outcomes.some(({ status }) => status === "STARTED");
      if (hasNews) await addResult(stored, { outcomes, woken });
      return receiptOf(stored, { outcomes, woken });
    },

    explain: async (stored, { workflowId, again } = {}) =>
      await triggers.explain(stored.tenant, copyOf(stored.event, again), dispatchOf(stored, workflowId)),
  };
}

function copyOf(event: IncomingEvent, again: string | undefined): IncomingEvent {
  return again === undefined ? event : { ...event, id: `${event.id}~${again}` };
}

/** A request to a webhook was let in by its path; the type of its event is everybody's. */
function dispatchOf({ via, event: { source } }: ReceivedEvent, workflowId: string | undefined): DispatchOptions {
  return via === "webhook" ? { workflowId, path: source.replace(/^\/hooks\//, "") } : { workflowId };
}

function receiptOf({ id, event }: ReceivedEvent, { outcomes, woken }: EventResult): EventReceipt {
  return { id, eventId: event.id, source: event.source, type: event.type, outcomes, woken };
}

function mismatch({ type }: IncomingEvent, issues: Issue[]): SignalboxError {
  const message = `The data does not fit the event type "${type}": ${issues[0]?.message}`;
  return new SignalboxError("EVENT_MISMATCH", message, { issues, details: { type } });
}
