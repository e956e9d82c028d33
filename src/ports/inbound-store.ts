import type { Cursor, Page } from "../definition/page.ts";
import type { EventOutcome, EventResult, EventType, ParkedEvent, ParkedStatus, ReceivedEvent } from "../definition/received-event.ts";

/** Events that were taken in, kept until their retention ends. What has expired is not found, deleted or not. */
export interface ReceivedEventStore {
  /** Keeps an event, durable when the promise resolves; false where it is there already, and then nothing is written. */
  add(event: ReceivedEvent): Promise<boolean>;
  /** Replaces what became of it; nothing where it is not there. */
  setResult(tenant: string, id: string, result: EventResult): Promise<void>;
  get(tenant: string, id: string): Promise<ReceivedEvent | undefined>;
  /** Newest first. */
  list(tenant: string, query: ReceivedEventQuery): Promise<Page<ReceivedEvent>>;
  /**
   * Events of a topic (`topicOf`: a type, or a type and a subject) received at or after `since`, oldest first. Sees every event whose
   * `add` resolved before the call.
   */
  since(tenant: string, topic: { type: string; subject?: string | undefined }, page: SincePage): Promise<ReceivedEvent[]>;
}

export interface SincePage {
  /** RFC 3339. */
  since: string;
  /** The last event of the page before. */
  after?: Cursor | undefined;
  limit: number;
}

export interface ReceivedEventQuery {
  type?: string | undefined;
  source?: string | undefined;
  /** The event's own id. */
  eventId?: string | undefined;
  outcome?: EventOutcome | undefined;
  /** Received at or after, RFC 3339. */
  since?: string | undefined;
  /** Received before, RFC 3339. */
  until?: string | undefined;
  pageSize: number;
  pageToken?: string | undefined;
}

/** Messages that could not be taken as events, kept for people until their retention ends. */
export interface ParkedEventStore {
  /** False where one with the id is there already. */
  add(parked: ParkedEvent): Promise<boolean>;
  get(tenant: string, id: string): Promise<ParkedEvent | undefined>;
  /** Newest first. */
  list(tenant: string, query: ParkedEventQuery): Promise<Page<ParkedEvent>>;
  /** Settles one that is PARKED, first come first served: false where it is not, or not there. */
  settle(
    tenant: string,
    id: string,
    status: Exclude<ParkedStatus, "PARKED">,
    settled: NonNullable<ParkedEvent["settled"]>,
  ): Promise<boolean>;
}

export interface ParkedEventQuery {
  status?: ParkedStatus | undefined;
  code?: string | undefined;
  pageSize: number;
  pageToken?: string | undefined;
}

export interface EventTypeStore {
  /** Creates or replaces; `createdAt` of the first stays. */
  put(tenant: string, type: EventType): Promise<EventType>;
  get(tenant: string, type: string): Promise<EventType | undefined>;
  /** Newest first. */
  list(tenant: string, query: { pageSize: number; pageToken?: string | undefined }): Promise<Page<EventType>>;
  /** False where it was not there. */
  remove(tenant: string, type: string): Promise<boolean>;
}
