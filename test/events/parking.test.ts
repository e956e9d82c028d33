import { expect, test } from "vitest";
import type { EventMessage } from "../../src/ports/event-feed.ts";
import { manualClock } from "../support/manual-clock.ts";
import { anEventProcess, onPaid } from "./support.ts";

function message(data: string | Uint8Array, over: Partial<EventMessage> = {}): EventMessage {
  return {
    id: "m1",
    data: typeof data === "string" ? new TextEncoder().encode(data) : data,
    attributes: { type: "shop.paid", source: "/shop", id: "1" },
    publishedAt: "2026-01-02T03:04:05.000Z",
    origin: "//broker/topic",
    ...over,
  };
}

async function aParkingProcess() {
  const counted: string[] = [];
  const clock = manualClock();
  const process = await anEventProcess({ clock, observer: { taken: () => {}, parked: ({ code }) => void counted.push(code) } });
  await process.define({ id: "ship", triggers: [onPaid({ config: { eventType: "shop.paid", schema: { required: ["order"] } } })] });
  const { events, store } = process;
  return {
    ...process,
    clock,
    counted,
    handle: (given: EventMessage) => events.handleMessage("default", given, "pubsub"),
    parked: async () => (await store.parked.list("default", { pageSize: 50 })).items,
  };
}

test.each<[string, EventMessage, string]>([
  ["is not JSON", message("{"), "MALFORMED_JSON"],
  ["is not UTF-8", message(new Uint8Array([0x22, 0xff, 0x22])), "MALFORMED_JSON"],
  ["lacks an attribute it needs", message("{}", { attributes: { subject: "s" } }), "INVALID_INPUT"],
  ["is a CloudEvent without an id", message('{"specversion": "1.0", "source": "/s", "type": "t"}', { attributes: {} }), "INVALID_INPUT"],
  ["is larger than a megabyte", message(`"${"x".repeat(1_100_000)}"`), "TOO_LARGE"],
  ["does not fit its type", message("[]", { attributes: { type: "shop.typed" } }), "EVENT_MISMATCH"],
  ["is refused by a trigger", message('{"no": "order"}'), "INVALID_INPUT"],
])("a message that %s is parked once, with its reason, and counted", async (_, given, code) => {
  const { handle, parked, counted, events, started } = await aParkingProcess();
  await events.types.put("default", "shop.typed", { schema: { type: "object" } });
  await handle(given);
  await handle(given);
  expect(await parked()).toMatchObject([
    { code, status: "PARKED", messageId: "m1", attributes: given.attributes, bytes: given.data.length },
  ]);
  expect(counted).toEqual([code]);
  expect(await started()).toEqual([]);
  await handle(message('{"order": "4711"}', { id: "good", attributes: { type: "shop.paid" } }));
  expect(await started()).toHaveLength(1);
});

test("a message is redriven as it was once what refused it is mended, and only once", async () => {
  const { handle, parked, events, define, started, workflows } = await aParkingProcess();
  await handle(message('{"no": "order"}'));
  const [first] = await parked();
  const id = first?.id ?? "";
  await expect(events.parking.redrive("default", id, {}, "ann")).rejects.toMatchObject({ code: "INVALID_INPUT" });
  expect((await parked())[0]?.status).toBe("PARKED");
  await workflows.archive({ id: "ann", tenant: "default" }, "ship", undefined);
  await define({ id: "mild", triggers: [onPaid()] });
  const redriven = await events.parking.redrive("default", id, {}, "ann");
  expect(redriven).toMatchObject({ status: "REDRIVEN", settled: { principal: "ann", receivedId: expect.any(String) as string } });
  expect(await started()).toMatchObject([{ workflowId: "mild", input: { no: "order" } }]);
  await expect(events.parking.redrive("default", id, {}, "bob")).rejects.toMatchObject({ code: "CONFLICT" });
  await expect(events.parking.discard("default", id, "bob")).rejects.toMatchObject({ code: "CONFLICT", details: { by: "ann" } });
});

test("a message is redriven with other data and other attributes", async () => {
  const { handle, parked, events, started, store } = await aParkingProcess();
  await handle(message("{", { attributes: {} }));
  const [first] = await parked();
  const edits = { data: '{"order": "1"}', attributes: { type: "shop.paid", id: "mended" } };
  const { settled } = await events.parking.redrive("default", first?.id ?? "", edits, "ann");
  expect(await started()).toHaveLength(1);
  expect((await store.received.get("default", settled?.receivedId ?? ""))?.event).toMatchObject({ id: "mended", data: { order: "1" } });
});

test("of what is too large a sample and the digest are kept, and it is redriven with data given anew only", async () => {
  const { handle, parked, events } = await aParkingProcess();
  await handle(message(`{"order": "${"x".repeat(1_100_000)}"}`));
  const [first] = await parked();
  expect(first).toMatchObject({ isTruncated: true, bytes: 1_100_013 });
  expect(Buffer.from(first?.data ?? "", "base64")).toHaveLength(4_096);
  await expect(events.parking.redrive("default", first?.id ?? "", {}, "ann")).rejects.toMatchObject({ code: "CONFLICT" });
  expect(await events.parking.redrive("default", first?.id ?? "", { data: '{"order": "x"}' }, "ann")).toMatchObject({ status: "REDRIVEN" });
});

test("what is discarded stays readable until its retention ends", async () => {
  const { handle, parked, events, clock } = await aParkingProcess();
  await handle(message("{"));
  const id = (await parked())[0]?.id ?? "";
  expect(await events.parking.discard("default", id, "ann")).toMatchObject({ status: "DISCARDED" });
  expect(await events.parking.get("default", id)).toMatchObject({ status: "DISCARDED", settled: { principal: "ann", receivedId: null } });
  await expect(events.parking.get("another", id)).rejects.toMatchObject({ code: "NOT_FOUND" });
  clock.advance(32 * 86_400_000);
  await expect(events.parking.get("default", id)).rejects.toMatchObject({ code: "NOT_FOUND" });
});
