import type { Execution } from "../definition/execution.ts";
import type { EventTopic, TopicMessage } from "../ports/event-topic.ts";
import { cloudEventOf, isLifecycle, type OutgoingEvent, type Traceparent } from "./cloud-event.ts";
import type { EventSink } from "./sink.ts";

/** Largest data of a message: Pub/Sub takes 10 MB of everything. */
const MAX_DATA_BYTES = 9_000_000;
/** Longest value of an attribute, bytes. */
const MAX_ATTRIBUTE_BYTES = 1_024;

export interface TopicSinkOptions {
  topic: EventTopic;
  types: "lifecycle" | "all";
  traceparent: Traceparent;
}

/** Events to a topic: those of a life cycle, or all. */
export function topicSink({ topic, types, traceparent }: TopicSinkOptions): EventSink {
  return {
    name: "topic",
    wants: (_execution, event) => types === "all" || isLifecycle(event),
    take: async (execution, events) =>
      await topic.publish(
        execution.id,
        events.map((event) => messageOf(execution, cloudEventOf(execution, event, traceparent))),
      ),
  };
}

/**
 * A CloudEvent in binary form: attributes `ce-*`, the data as JSON. In structured form where an attribute is longer than Pub/Sub takes.
 * Data that is larger than it takes is left out and can be read from the execution's history.
 */
function messageOf(execution: Execution, whole: OutgoingEvent): TopicMessage {
  const bytes = Buffer.byteLength(JSON.stringify(whole.data));
  const fitting: OutgoingEvent =
    bytes <= MAX_DATA_BYTES ? whole : { ...whole, data: { executionId: execution.id, seq: whole.seq, isOmitted: true, bytes } };
  const { data, datacontenttype, ...rest } = fitting;
  const attributes = Object.fromEntries(Object.entries(rest).map(([name, value]) => [`ce-${name}`, String(value).toWellFormed()]));
  if (Object.values(attributes).some((value) => Buffer.byteLength(value) > MAX_ATTRIBUTE_BYTES))
    return { data: encoded(fitting), attributes: { "content-type": "application/cloudevents+json" } };
  return { data: encoded(data), attributes: { ...attributes, "content-type": datacontenttype } };
}

function encoded(value: unknown): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(value));
}
