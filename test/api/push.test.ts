import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { createServer } from "../../src/api/server.ts";
import { SignalboxError } from "../../src/errors.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { loadStepTypes } from "../../src/registry.ts";
import { startIssuer, type Issuer } from "./issuer.ts";
import { startApi, type ApiClient } from "./support.ts";

const PAID = {
  id: "paid",
  name: "Paid",
  triggers: [{ type: "event", config: { eventType: "shop.paid" } }],
  steps: [{ id: "a", type: "transform", config: { set: {} } }],
};
const base64 = (value: unknown) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64");
const wrapped = (data: unknown, attributes: Record<string, string>, more: object = {}) => ({
  message: { data: base64(data), attributes, messageId: "m1", publishTime: "2026-01-02T03:04:05.678Z", ...more },
  subscription: "projects/p/subscriptions/s",
});

type Row = Record<string, unknown>;

async function push(api: ApiClient, body: unknown, headers: Record<string, string> = {}): Promise<number> {
  return (await api.call("POST /push/pubsub", { body, headers })).status;
}
const received = async (api: ApiClient, headers = {}) =>
  (await api.call<{ items: Row[] }>("GET /api/v1/events?pageSize=200", { headers })).body.items;
const parked = async (api: ApiClient, headers = {}) =>
  (await api.call<{ items: Row[] }>("GET /api/v1/parked-events", { headers })).body.items;

describe("pushes on loopback without credentials", () => {
  let api: ApiClient;
  beforeAll(async () => {
    api = await startApi({ SIGNALBOX_BODY_LIMIT: "4096" });
    await api.call("POST /api/v1/workflows", { body: PAID });
  });
  afterAll(() => api[Symbol.asyncDispose]());

  const ce = { "ce-specversion": "1.0", "ce-id": "e1", "ce-source": "//pubsub.googleapis.com/projects/p/topics/t" };
  const messagePublished = { ...ce, "ce-type": "google.cloud.pubsub.topic.v1.messagePublished" };
  const plain = { type: "shop.paid", source: "/shop" };

  test.each<[string, unknown, Record<string, string>, Row]>([
    ["wrapped", wrapped({ n: 1 }, { ...plain, id: "1" }), {}, { eventId: "1", source: "/shop", time: "2026-01-02T03:04:05.678Z" }],
    [
      "wrapped, in the other spelling",
      { message: { data: base64({ n: 1 }), attributes: { type: "shop.paid" }, message_id: 77, publish_time: "2026-01-02T03:04:05Z" } },
      {},
      { eventId: "77", source: "/push" },
    ],
    ["unwrapped", { n: 1 }, { type: "shop.paid", source: "/shop", "x-goog-pubsub-message-id": "m3" }, { eventId: "m3", source: "/shop" }],
    [
      "wrapped in a CloudEvent in binary form",
      wrapped({ n: 1 }, { type: "shop.paid" }, { messageId: "m4" }),
      messagePublished,
      { eventId: "m4", source: ce["ce-source"] },
    ],
    [
      "wrapped in a CloudEvent in structured form",
      {
        specversion: "1.0",
        id: "e5",
        source: "//t",
        type: messagePublished["ce-type"],
        data: wrapped({ n: 1 }, { ...plain, id: "5" }),
      },
      { "content-type": "application/cloudevents+json" },
      { eventId: "5" },
    ],
    ["a CloudEvent in binary form", { n: 1 }, { ...ce, "ce-id": "6", "ce-type": "shop.paid" }, { eventId: "6" }],
    [
      "a CloudEvent in structured form",
      { specversion: "1.0", id: "7", source: "/s", type: "shop.paid", data: { n: 1 } },
      { "content-type": "application/cloudevents+json; charset=utf-8" },
      { eventId: "7", source: "/s" },
    ],
    [
      "a CloudEvent inside a message",
      wrapped({ specversion: "1.0", id: "8", source: "/s", type: "shop.paid", data: { n: 1 } }, {}),
      {},
      { eventId: "8" },
    ],
  ])("an event that comes %s is taken", async (_, body, headers, expected) => {
    expect(await push(api, body, headers)).toBe(204);
    const [newest] = await received(api);
    expect(newest).toMatchObject({ ...expected, type: "shop.paid", data: { n: 1 }, via: "push", outcome: "TAKEN" });
  });

  test.each<[string, unknown, Record<string, string>, string]>([
    ["no JSON", "{", {}, "MALFORMED_JSON"],
    ["no message", { hello: 1 }, {}, "INVALID_INPUT"],
    ["a message without a type", wrapped({ n: 1 }, {}, { messageId: "bad1" }), {}, "INVALID_INPUT"],
    ["a message that is no JSON", wrapped("{", { type: "shop.paid" }, { messageId: "bad2" }), {}, "MALFORMED_JSON"],
    ["a message that is too large", wrapped(`"${"x".repeat(5_000)}"`, { type: "shop.paid" }, { messageId: "bad3" }), {}, "TOO_LARGE"],
    ["a CloudEvent without an id", { n: 1 }, { "ce-specversion": "1.0", "ce-source": "/s", "ce-type": "t" }, "INVALID_INPUT"],
  ])("%s is parked and acknowledged, so that it is not pushed for ever", async (_, body, headers, code) => {
    const before = (await parked(api)).length;
    expect(await push(api, body, headers)).toBe(204);
    expect(await push(api, body, headers)).toBe(204);
    const now = await parked(api);
    expect(now).toHaveLength(before + 1);
    expect(now[0]).toMatchObject({ code, via: "push", status: "PARKED" });
  });

  test("a store that is away is answered with 503, so that it is pushed again", async () => {
    const { executor, workflows, triggers, events, webhooks, store, config } = api.app;
    const away = () => Promise.reject(new SignalboxError("UNAVAILABLE"));
    const server = await createServer({
      executor,
      workflows,
      triggers,
      events: { ...events, handleMessage: away },
      webhooks,
      store,
      config,
      stepTypes: await loadStepTypes(),
      clock: systemClock,
      readiness: () => ({ ready: true }),
    });
    const response = await server.inject({ method: "POST", url: "/push/pubsub", payload: wrapped({}, {}), headers: { host: "localhost" } });
    expect(response.statusCode).toBe(503);
    await server.close();
  });

  test("other methods are refused", async () => {
    expect((await api.refused("GET /push/pubsub")).code).toBe("METHOD_NOT_ALLOWED");
  });
});

describe("pushes with tokens", () => {
  let api: ApiClient;
  let issuer: Issuer;
  const audience = "https://signalbox.test/push/pubsub";
  const pusher = { sub: "1", email: "push@p.iam.gserviceaccount.com", email_verified: true };
  const key = (name: string) => ({ "x-api-key": name });

  beforeAll(async () => {
    issuer = await startIssuer();
    const common = { audience, issuer: "https://login.test", jwksUri: issuer.jwksUri };
    const sha256 = async (name: string) => (await import("node:crypto")).createHash("sha256").update(name).digest("hex");
    api = await startApi({
      SIGNALBOX_AUTH: "api-key",
      SIGNALBOX_API_KEYS: JSON.stringify([
        { id: "acme", sha256: await sha256("acme"), tenant: "acme", scopes: "all" },
        { id: "other", sha256: await sha256("other"), tenant: "other", scopes: "all" },
      ]),
      SIGNALBOX_PUSH: JSON.stringify([
        { ...common, tenant: "acme", emails: [pusher.email] },
        { ...common, tenant: "other", emails: ["second@p.iam.gserviceaccount.com"] },
      ]),
    });
  });
  afterAll(async () => {
    await api[Symbol.asyncDispose]();
    await issuer[Symbol.asyncDispose]();
  });

  const with_ = async (claims: object, options: object = {}) => ({
    authorization: `Bearer ${await issuer.token({ ...claims }, { audience, ...options })}`,
  });
  const event = (id: string) => wrapped({}, { type: "shop.paid", source: "/shop", id });

  test("the tenant is that of the verified identity", async () => {
    expect(await push(api, event("1"), await with_(pusher))).toBe(204);
    expect(await push(api, event("2"), await with_({ ...pusher, email: "second@p.iam.gserviceaccount.com" }))).toBe(204);
    expect((await received(api, key("acme"))).map(({ eventId }) => eventId)).toEqual(["1"]);
    expect((await received(api, key("other"))).map(({ eventId }) => eventId)).toEqual(["2"]);
  });

  test.each<[string, object, object, number]>([
    ["of another audience", pusher, { audience: "https://elsewhere.test" }, 401],
    ["of another issuer", pusher, { issuer: "https://evil.test" }, 401],
    ["signed by somebody else", pusher, { foreignKey: true }, 401],
    ["that has expired", pusher, { expiresInSeconds: -600 }, 401],
    ["of another service account", { ...pusher, email: "evil@p.iam.gserviceaccount.com" }, {}, 403],
    ["whose email nobody verified", { ...pusher, email_verified: false }, {}, 403],
    ["without an email", { sub: "1" }, {}, 403],
  ])("a token %s is refused, and nothing is kept", async (_, claims, options, status) => {
    expect(await push(api, event("refused"), await with_(claims, options))).toBe(status);
    expect(await push(api, "{", await with_(claims, options))).toBe(status);
    expect((await received(api, key("acme"))).filter(({ eventId }) => eventId === "refused")).toEqual([]);
    expect(await parked(api, key("acme"))).toEqual([]);
  });

  test("no token, one that is none, and a key of the API are refused", async () => {
    expect(await push(api, event("3"))).toBe(401);
    expect(await push(api, event("3"), { authorization: "Bearer nonsense" })).toBe(401);
    expect(await push(api, event("3"), key("acme"))).toBe(401);
  });
});

test("with credentials and no identity that may push, nobody may", async () => {
  await using api = await startApi({
    SIGNALBOX_AUTH: "api-key",
    SIGNALBOX_API_KEYS: JSON.stringify([{ id: "a", sha256: "0".repeat(64), tenant: "acme", scopes: "all" }]),
  });
  expect(await push(api, wrapped({}, {}))).toBe(401);
});
