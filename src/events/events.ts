import { outcomeOfResult, type EventOutcome, type EventVia } from "../definition/received-event.ts";
import type { ErrorCode } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Queue } from "../ports/queue.ts";
import type { Store } from "../ports/store.ts";
import type { TriggerManager } from "../triggers/manager.ts";
import { createMessageHandler, type MessageHandler } from "./event-message.ts";
import { createEventTypes, type EventTypes } from "./event-types.ts";
import { createEventIngest, type EventIngest } from "./ingest.ts";
import { createParking, type Parking } from "./parking.ts";

/** Events that come in: the one way in, what they must look like, and where those that cannot be taken are. */
export interface Events {
  ingest: EventIngest;
  types: EventTypes;
  parking: Parking;
  /** A message of a broker, pulled or pushed. */
  handleMessage: MessageHandler;
}

/** Told of what came in, by this process. */
export interface EventObserver {
  taken(event: { via: EventVia; outcome: EventOutcome; woken: number }): void;
  parked(message: { via: EventVia; code: ErrorCode; reason: string }): void;
}

export interface EventsOptions {
  store: Store;
  queue: Queue;
  triggers: TriggerManager;
  clock: Clock;
  /** How long events are kept, milliseconds. */
  keepMs: number;
  /** How long parked messages are kept, milliseconds. */
  keepParkedMs: number;
  /** Longest data of a message, bytes. */
  maxBytes: number;
  observer?: EventObserver | undefined;
}

export function createEvents({ store, queue, triggers, clock, keepMs, keepParkedMs, maxBytes, observer }: EventsOptions): Events {
  const types = createEventTypes({ store: store.eventTypes, clock });
  const ingest = createEventIngest({
    store,
    queue,
    triggers,
    types,
    clock,
    keepMs,
    onTaken: (via, result) => observer?.taken({ via, outcome: outcomeOfResult(result), woken: result.woken.length }),
  });
  const parking = createParking({
    store: store.parked,
    ingest,
    clock,
    keepMs: keepParkedMs,
    maxBytes,
    onParked: ({ code, reason }, via) => observer?.parked({ via, code, reason }),
  });
  return { ingest, types, parking, handleMessage: createMessageHandler({ ingest, parking, maxBytes }) };
}
