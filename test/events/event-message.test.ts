import { describe, expect, test } from "vitest";
import type { EventMessage } from "../../src/ports/event-feed.ts";
import { readEvent } from "../../src/events/event-message.ts";

const MAX_BYTES = 1_000;

function message(data: unknown, attributes: Record<string, string> = {}): EventMessage {
  const bytes =
    typeof data === "string"
      ? new TextEncoder().encode(data)
      : data instanceof Uint8Array
        ? data
        : new TextEncoder().encode(JSON.stringify(data));
  return { id: "17", data: bytes, attributes, publishedAt: "2026-01-02T03:04:05.000Z", origin: "//broker/topic" };
}

function eventOf(data: unknown, attributes?: Record<string, string>) {
  const read = readEvent(message(data, attributes), MAX_BYTES);
  if ("reason" in read) throw new Error(read.reason);
  return read.event;
}

describe("an event in a message", () => {
  const event = { id: "e1", source: "/shop", type: "order.paid" };

  test("means the same in structured and in binary form", () => {
    const structured = eventOf({ specversion: "1.0", ...event, subject: "s", partner: "p", data: { n: 1 } });
    const binary = eventOf(
      { n: 1 },
      {
        "ce-specversion": "1.0",
        "ce-id": "e1",
        "ce-source": "/shop",
        "ce-type": "order.paid",
        "ce-subject": "s",
        "ce-partner": "p",
        trace: "x",
      },
    );
    expect(binary).toEqual(structured);
    expect(binary).toMatchObject({ ...event, subject: "s", data: { n: 1 }, extensions: { partner: "p" } });
  });

  test("is identified by the message where a plain one does not say", () => {
    expect(eventOf({ n: 1 }, { type: "order.paid" })).toEqual({
      id: "17",
      source: "//broker/topic",
      type: "order.paid",
      time: "2026-01-02T03:04:05.000Z",
      data: { n: 1 },
    });
    expect(eventOf([1], { ...event, other: "x" })).toMatchObject({ ...event, data: [1] });
  });

  test("may have no data", () => {
    expect(eventOf("", { type: "ping" }).data).toBeNull();
  });

  test.each<[string, unknown, Record<string, string>, RegExp]>([
    ["is not JSON", "{", { type: "t" }, /^MALFORMED_JSON/],
    ["is not UTF-8", new Uint8Array([0x22, 0xff, 0x22]), { type: "t" }, /^MALFORMED_JSON/],
    ["has no type", { n: 1 }, {}, /type/],
    ["is a CloudEvent without an id", { specversion: "1.0", source: "/s", type: "t" }, {}, /^INVALID_INPUT: The event's id/],
    ["is of another version", { n: 1 }, { "ce-specversion": "0.3", "ce-id": "1", "ce-source": "/s", "ce-type": "t" }, /specversion/],
    ["says it is a CloudEvent and is a text", '"x"', { "content-type": "application/cloudevents+json" }, /^INVALID_INPUT/],
    ["is too large", `"${"x".repeat(MAX_BYTES)}"`, { type: "t" }, /^TOO_LARGE/],
    ["is too deep", "[".repeat(100) + "]".repeat(100), { type: "t" }, /^INVALID_INPUT.*nested/],
  ])("is none where it %s", (_, data, attributes, reason) => {
    const read = readEvent(message(data, attributes), MAX_BYTES);
    expect("code" in read && `${read.code}: ${read.reason}`).toMatch(reason);
  });
});
