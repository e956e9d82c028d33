/** One message of a topic. */
export interface TopicMessage {
  data: Uint8Array;
  attributes: Readonly<Record<string, string>>;
}

/** Where events leave to. */
export interface EventTopic {
  /**
   * Sends messages that belong together, one after the other; resolves when all are durable there. Where it rejects, any of the first
   * ones may have arrived, none without those before it.
   */
  publish(key: string, messages: readonly TopicMessage[]): Promise<void>;
  close(): Promise<void>;
}
