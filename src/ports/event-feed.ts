/** A message that carries an event, as a broker delivers it. */
export interface EventMessage {
  /** The broker's id: the same on every delivery. */
  id: string;
  data: Uint8Array;
  attributes: Readonly<Record<string, string>>;
  /** RFC 3339. */
  publishedAt: string;
  /** What the message was read from, as a URI reference; the event's source where the message names none. */
  origin: string;
}

/** Events from outside. */
export interface EventFeed {
  /**
   * Hands over each message at least once until the returned function is called. A message counts as delivered when `handle` has
   * resolved: it must be durable by then. Where `handle` rejects it is tried again.
   */
  consume(handle: (message: EventMessage) => Promise<void>, options?: FeedOptions): Promise<() => Promise<void>>;
  close(): Promise<void>;
}

export interface FeedOptions {
  /** Executions the consumer could begin now: while there are none, messages are handed over at a walk. */
  freeSlots?: (() => number) | undefined;
}
