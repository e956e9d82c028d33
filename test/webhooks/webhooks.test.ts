import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import type { WebhookDelivery } from "../../src/definition/webhook.ts";
import { SignalboxError } from "../../src/errors.ts";
import type { HttpReply, HttpRequest } from "../../src/outbound/http.ts";
import type { EventSink } from "../../src/relay/sink.ts";
import type { Deliverer } from "../../src/webhooks/deliverer.ts";
import { PAUSES_MS } from "../../src/webhooks/retry-schedule.ts";
import { createWebhooks, type Webhooks, type WebhooksOptions } from "../../src/webhooks/webhooks.ts";
import { aRelay } from "../relay/support.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import { manualClock, type ManualClock } from "../support/manual-clock.ts";

const DAY = 86_400_000;
const TENANT = "default";

interface Wired extends AsyncDisposable {
  engine: Engine;
  webhooks: Webhooks;
  clock: ManualClock;
  requests: HttpRequest[];
  /** What the receiver answers from now on. */
  answer(reply: number | SignalboxError): void;
  deliverer(): Deliverer;
  /** Runs an execution and hands its events on. */
  run(workflowId?: string): Promise<string>;
  log(): Promise<WebhookDelivery[]>;
  lines: string[];
}

async function wired(keys?: WebhooksOptions["keys"]): Promise<Wired> {
  const clock = manualClock();
  const sinks: EventSink[] = [];
  const engine = await createEngine({ clock, sinks });
  const requests: HttpRequest[] = [];
  let next: number | SignalboxError = 204;
  const webhooks = createWebhooks({
    store: engine.store.webhooks,
    clock,
    traceparent: () => "00-aa-bb-01",
    keys,
    readSecret: async (reference) => (reference === "env:SIGNALBOX_SECRET_HOOK" ? "whsec_c2VjcmV0" : undefined),
    async fetch(request) {
      requests.push(request);
      if (next instanceof SignalboxError) throw next;
      const reply: HttpReply = {
        status: next,
        headers: {},
        body: next === 204 ? null : "why not",
        bodyType: "text",
        redirects: 0,
        durationMs: 1,
      };
      return await Promise.resolve(reply);
    },
  });
  sinks.push(webhooks.sink);
  const lines: string[] = [];
  await engine.define({ id: "w", name: "w", status: "active", steps: [{ id: "a", type: "transform", config: { set: {} } }] });
  return {
    engine,
    webhooks,
    clock,
    requests,
    lines,
    answer: (reply) => void (next = reply),
    deliverer: () =>
      webhooks.start({ everyMs: 3_600_000_000, maxTries: 9, disableAfterMs: 5 * DAY, log: (message) => lines.push(message) }),
    async run(workflowId = "w") {
      const { id } = await engine.run(workflowId);
      await engine.relay.idle();
      return id;
    },
    log: async () => (await engine.store.webhooks.deliveries(TENANT, { pageSize: 100 })).items,
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

const url = "https://receiver.example/hook";
const ends = { url, eventTypes: ["dev.signalbox.execution.completed"] };

function verified({ headers = {}, body }: HttpRequest, secret: string): boolean {
  const text = body && "text" in body ? String(body.text) : "";
  const { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature } = headers;
  const key = Buffer.from(secret.replace("whsec_", ""), "base64");
  const wanted = createHmac("sha256", key)
    .update(`${String(id)}.${String(timestamp)}.${text}`)
    .digest("base64");
  return String(signature).split(" ").includes(`v1,${wanted}`);
}

test("an event is delivered once, signed, with its trace and the id of the delivery", async () => {
  await using w = await wired();
  const { secret } = await w.webhooks.endpoints.create(TENANT, ends);
  const executionId = await w.run();
  const deliverer = w.deliverer();
  await deliverer.look();
  await deliverer.look();
  const [delivery] = await w.log();
  expect(w.requests).toHaveLength(1);
  const [request] = w.requests;
  if (!request || !delivery || secret === null) throw new Error("they are there");
  expect(verified(request, secret)).toBe(true);
  expect(verified(request, "whsec_b3RoZXI=")).toBe(false);
  expect(request).toMatchObject({ method: "POST", url, headers: { "webhook-id": delivery.id, traceparent: "00-aa-bb-01" } });
  expect(JSON.parse(request.body && "text" in request.body ? String(request.body.text) : "")).toMatchObject({
    specversion: "1.0",
    type: "dev.signalbox.execution.completed",
    subject: executionId,
    data: { status: "COMPLETED" },
  });
  expect(delivery).toMatchObject({ status: "delivered", attemptCount: 1, nextAt: null, attempts: [{ status: 204, error: null }] });
  await deliverer.stop();
});

test("events reach only who wants them: type, workflow, condition, and not what happened before", async () => {
  await using w = await wired();
  await w.run();
  w.clock.advance(10_000);
  const create = async (input: object) => (await w.webhooks.endpoints.create(TENANT, { url, ...input })).endpoint.id;
  const wanted = [
    await create({ eventTypes: ["dev.signalbox.execution.*"], workflowIds: ["w"] }),
    await create({ eventTypes: ["*.execution.comp*d"], condition: "event.data.status == 'COMPLETED'" }),
  ];
  await create({ eventTypes: ["shop.*"] });
  await create({ workflowIds: ["another"] });
  await create({ condition: "event.data.nothing > 3" });
  await create({ enabled: false });
  await w.run();
  const log = await w.log();
  expect(new Set(log.map(({ endpointId }) => endpointId))).toEqual(new Set(wanted));
  expect(log.filter(({ endpointId }) => endpointId === wanted[1])).toHaveLength(1);
});

test("a relay that hands on again makes no second delivery", async () => {
  await using w = await wired();
  await w.webhooks.endpoints.create(TENANT, ends);
  const id = await w.run();
  const handle = await w.engine.store.executions.get(TENANT, id);
  const marked = handle && (await w.engine.store.executions.markRelayed(handle, { relayedSeq: 0, relayAt: w.clock.now() }));
  expect(marked).toBeDefined();
  const again = aRelay(w.engine.store, w.clock, [w.webhooks.sink]);
  await again.sweep();
  await again.stop();
  expect(await w.log()).toHaveLength(1);
});

test("what fails is tried again with growing pauses and the same id, then given up; every try is in the log", async () => {
  await using w = await wired();
  await w.webhooks.endpoints.create(TENANT, ends);
  await w.run();
  w.answer(500);
  const deliverer = w.deliverer();
  for (const pause of PAUSES_MS) {
    w.clock.advance(pause * 0.8);
    const before = w.requests.length;
    await deliverer.look();
    // Not before its time.
    expect(w.requests.length - before).toBe(pause === 0 ? 1 : 0);
    w.clock.advance(pause * 0.4);
    await deliverer.look();
  }
  w.clock.advance(30 * DAY);
  await deliverer.look();
  const [delivery] = await w.log();
  expect(w.requests).toHaveLength(PAUSES_MS.length);
  expect(new Set(w.requests.map(({ headers }) => headers?.["webhook-id"])).size).toBe(1);
  expect(delivery).toMatchObject({ status: "failed", attemptCount: PAUSES_MS.length, nextAt: null });
  expect(delivery?.attempts.at(-1)).toMatchObject({ status: 500, error: "The receiver answered with status 500.", response: "why not" });
  await deliverer.stop();
});

test("a receiver that cannot be reached, or is not allowed, is a line of the log and tried again", async () => {
  await using w = await wired();
  await w.webhooks.endpoints.create(TENANT, ends);
  await w.run();
  w.answer(new SignalboxError("REQUEST_REFUSED", "The address 10.0.0.1 is not allowed."));
  const deliverer = w.deliverer();
  await deliverer.look();
  expect((await w.log())[0]).toMatchObject({
    status: "pending",
    attempts: [{ status: null, error: "REQUEST_REFUSED: The address 10.0.0.1 is not allowed." }],
  });
  await deliverer.stop();
});

test("of two processes that look at once, one makes the try", async () => {
  await using w = await wired();
  await w.webhooks.endpoints.create(TENANT, ends);
  for (let n = 0; n < 10; n += 1) await w.run();
  const pods = [w.deliverer(), w.deliverer()];
  await Promise.all(pods.map((pod) => pod.look()));
  expect(w.requests).toHaveLength(10);
  expect(new Set(w.requests.map(({ headers }) => headers?.["webhook-id"])).size).toBe(10);
  for (const pod of pods) await pod.stop();
});

test("redelivery sends again with the same id: one, or all that failed", async () => {
  await using w = await wired();
  const { endpoint } = await w.webhooks.endpoints.create(TENANT, ends);
  w.answer(410);
  await w.run();
  await w.run();
  const deliverer = w.deliverer();
  await deliverer.look();
  // 410: the receiver is gone, which ends its endpoint at once.
  expect(await w.webhooks.endpoints.get(TENANT, endpoint.id)).toMatchObject({
    enabled: false,
    disabledReason: expect.stringContaining("410"),
  });
  expect((await w.log()).map(({ status }) => status)).toEqual(["failed", "failed"]);
  await w.webhooks.endpoints.update(TENANT, endpoint.id, { enabled: true });
  w.answer(200);
  expect(await w.webhooks.redeliverAll(TENANT, endpoint.id, { status: "failed", dryRun: true })).toBe(2);
  expect(await w.webhooks.redeliverAll(TENANT, endpoint.id, { status: "failed", dryRun: false })).toBe(2);
  await deliverer.look();
  const [first] = await w.log();
  expect((await w.log()).map(({ status }) => status)).toEqual(["delivered", "delivered"]);
  await w.webhooks.redeliver(TENANT, first?.id ?? "");
  const before = w.requests.length;
  await deliverer.look();
  expect(w.requests.slice(before).map(({ headers }) => headers?.["webhook-id"])).toEqual([first?.id]);
  await deliverer.stop();
});

test("an endpoint that takes nothing for days is disabled, one that takes something in between is not", async () => {
  await using w = await wired();
  const { endpoint } = await w.webhooks.endpoints.create(TENANT, ends);
  const deliverer = w.deliverer();
  const exhaust = async () => {
    await w.run();
    for (const pause of PAUSES_MS) {
      w.clock.advance(pause * 1.2);
      await deliverer.look();
    }
  };
  w.answer(500);
  for (let day = 0; day < 3; day += 1) await exhaust();
  expect((await w.webhooks.endpoints.get(TENANT, endpoint.id)).failingSince).not.toBeNull();
  w.answer(200);
  await w.run();
  await deliverer.look();
  expect(await w.webhooks.endpoints.get(TENANT, endpoint.id)).toMatchObject({ enabled: true, failingSince: null });
  w.answer(500);
  for (let day = 0; day < 6; day += 1) await exhaust();
  expect(await w.webhooks.endpoints.get(TENANT, endpoint.id)).toMatchObject({
    enabled: false,
    disabledReason: expect.stringContaining("took nothing"),
  });
  expect(w.lines).toContain("webhook endpoint disabled");
  await deliverer.stop();
});

test("while a secret is rotated both sign; a secret may be a reference", async () => {
  await using w = await wired();
  const { endpoint, secret: old } = await w.webhooks.endpoints.create(TENANT, ends);
  const { secret: young } = await w.webhooks.endpoints.rotate(TENANT, endpoint.id, { dropOld: false });
  await w.webhooks.test(TENANT, endpoint.id);
  const referenced = await w.webhooks.endpoints.rotate(TENANT, endpoint.id, { secret: "env:SIGNALBOX_SECRET_HOOK", dropOld: true });
  await w.webhooks.test(TENANT, endpoint.id);
  const [both, alone] = w.requests;
  if (!both || !alone || old === null || young === null) throw new Error("they are there");
  expect([verified(both, old), verified(both, young), verified(alone, young)]).toEqual([true, true, false]);
  expect(verified(alone, "whsec_c2VjcmV0")).toBe(true);
  expect(referenced.secret).toBeNull();
});

test("with a key of the operator nothing that is stored signs, and a key that was replaced still serves its endpoints", async () => {
  const keys = [{ id: "old", key: "o".repeat(32) }];
  await using w = await wired(keys);
  const { endpoint, secret } = await w.webhooks.endpoints.create(TENANT, ends);
  keys.unshift({ id: "young", key: "y".repeat(32) });
  const { secret: young } = await w.webhooks.endpoints.rotate(TENANT, endpoint.id, { dropOld: false });
  const { secrets } = await w.webhooks.endpoints.get(TENANT, endpoint.id);
  expect(secrets).toEqual([expect.stringMatching(/^derived:young:/), expect.stringMatching(/^derived:old:/)]);
  await w.webhooks.test(TENANT, endpoint.id);
  const [request] = w.requests;
  if (!request || secret === null || young === null) throw new Error("they are there");
  expect([secret, young, ...secrets].map((each) => verified(request, each))).toEqual([true, true, false, false]);
  keys.length = 0;
  expect(await w.webhooks.test(TENANT, endpoint.id)).toMatchObject({ status: null, error: expect.stringMatching(/^UNAVAILABLE/) });
});
