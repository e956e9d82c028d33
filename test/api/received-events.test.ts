import { afterAll, beforeAll, expect, test } from "vitest";
import { startApi, type ApiClient } from "./support.ts";

type Row = Record<string, unknown>;
let api: ApiClient;
beforeAll(async () => {
  api = await startApi();
});
afterAll(() => api[Symbol.asyncDispose]());

const event = (id: string, data: unknown, more: object = {}) => ({
  specversion: "1.0",
  id,
  source: "/shop",
  type: "shop.paid",
  data,
  ...more,
});
const define = (id: string) =>
  api.call("POST /api/v1/workflows", {
    body: {
      id,
      name: id,
      triggers: [{ type: "event", config: { eventType: "shop.paid" } }],
      steps: [{ id: "a", type: "transform", config: { set: {} } }],
    },
  });

test("an event is kept, listed by filter, read by its receipt's id and replayed after a dry run", async () => {
  const { body } = await api.call<{ receipts: Row[] }>("POST /api/v1/events", { body: event("1", { order: "4711" }) });
  const id = String(body.receipts[0]?.["id"]);
  expect((await api.call(`GET /api/v1/events/${id}`)).body).toMatchObject({
    eventId: "1",
    via: "api",
    outcome: "IGNORED",
    data: { order: "4711" },
  });
  await define("late");
  const replay = async (more: object) =>
    (
      await api.call<{ starts: number; events: Row[] }>("POST /api/v1/events/replay", {
        body: { where: { type: "shop.paid", outcome: "IGNORED" }, ...more },
      })
    ).body;
  expect(await replay({})).toMatchObject({ dryRun: true, starts: 1, events: [{ eventId: "1", outcomes: [{ workflowId: "late" }] }] });
  expect((await api.call<{ items: Row[] }>("GET /api/v1/executions?workflowId=late")).body.items).toEqual([]);
  expect(await replay({ dryRun: false })).toMatchObject({ dryRun: false, starts: 1 });
  // What was taken is no longer ignored.
  expect(await replay({ dryRun: false })).toMatchObject({ starts: 0, events: [] });
  const { items } = (await api.call<{ items: Row[] }>("GET /api/v1/events?type=shop.paid&outcome=TAKEN&since=2026-01-01T00:00:00%2B01:00"))
    .body;
  expect(items.map((item) => item["eventId"])).toEqual(["1"]);
  expect((await api.refused("GET /api/v1/events/none")).code).toBe("NOT_FOUND");
  expect((await api.refused("GET /api/v1/events?since=yesterday")).code).toBe("INVALID_INPUT");
});

test("a registered type refuses what does not fit, of a batch everything, with pointers", async () => {
  const schema = { type: "object", required: ["amount"], properties: { amount: { type: "number" } } };
  const put = await api.call("PUT /api/v1/event-types/shop.refunded", { body: { schema, example: { amount: 1 } } });
  expect(put).toMatchObject({ status: 200, body: { type: "shop.refunded", schema } });
  const good = event("g", { amount: 1 }, { type: "shop.refunded" });
  const refusal = await api.refused("POST /api/v1/events", { body: [good, event("b", { amount: "1" }, { type: "shop.refunded" })] });
  expect(refusal).toMatchObject({ code: "EVENT_MISMATCH", issues: [{ pointer: "/1/data/amount" }] });
  expect((await api.call<{ items: Row[] }>("GET /api/v1/events?type=shop.refunded")).body.items).toEqual([]);
  expect((await api.call<{ items: Row[] }>("GET /api/v1/event-types")).body.items).toHaveLength(1);
  expect((await api.refused("PUT /api/v1/event-types/x", { body: { schema: { type: "nonsense" } } })).issues?.[0]?.pointer).toBe(
    "/schema/type",
  );
  expect((await api.call("DELETE /api/v1/event-types/shop.refunded")).status).toBe(200);
  expect((await api.refused("GET /api/v1/event-types/shop.refunded")).code).toBe("NOT_FOUND");
  expect((await api.call("POST /api/v1/events", { body: event("b", { amount: "1" }, { type: "shop.refunded" }) })).status).toBe(202);
});

test("a parked message is listed, read, corrected and discarded over REST and GraphQL", async () => {
  for (const data of ["{", "[", "("]) {
    const message = { data: Buffer.from(data).toString("base64"), attributes: { type: "shop.paid" }, messageId: data };
    await api.call("POST /push/pubsub", { body: { message, subscription: "projects/p/subscriptions/s" } });
  }
  const { data } = await api.graphql<{ parkedEvents: { id: string; code: string; text: string }[] }>(
    "{ parkedEvents(filter: {status: PARKED}) { id code text } }",
  );
  expect(data.parkedEvents.map(({ code, text }) => [code, text]).toSorted()).toEqual([
    ["MALFORMED_JSON", "("],
    ["MALFORMED_JSON", "["],
    ["MALFORMED_JSON", "{"],
  ]);
  const [first, second] = data.parkedEvents;
  expect((await api.refused(`POST /api/v1/parked-events/${first?.id}/redrive`, { body: {} })).code).toBe("MALFORMED_JSON");
  const redriven = await api.call(`POST /api/v1/parked-events/${first?.id}/redrive`, { body: { data: '{"order": "1"}' } });
  expect(redriven).toMatchObject({ status: 200, body: { status: "REDRIVEN", settledBy: "local" } });
  expect((await api.call(`GET /api/v1/events/${String(redriven.body["receivedId"])}`)).body).toMatchObject({
    via: "push",
    data: { order: "1" },
  });
  expect((await api.refused(`POST /api/v1/parked-events/${first?.id}/redrive`, { body: {} })).code).toBe("CONFLICT");
  expect((await api.call(`POST /api/v1/parked-events/${second?.id}/discard`)).body).toMatchObject({ status: "DISCARDED" });
  expect((await api.call<{ items: Row[] }>("GET /api/v1/parked-events?status=PARKED")).body.items).toHaveLength(1);
});
