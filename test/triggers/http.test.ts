import { createHmac } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import os from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { EventReceipt, TriggerOutcome } from "../../src/definition/received-event.ts";
import { startApi, type ApiClient } from "../api/support.ts";

const SECRETS = ["first-secret", "second-secret"];
let api: ApiClient;
let folder: string;

beforeAll(async () => {
  folder = await mkdtemp(path.join(os.tmpdir(), "signalbox-secrets-"));
  await Promise.all(SECRETS.map((secret, index) => writeFile(path.join(folder, `hook-${index}`), `${secret}\n`)));
  api = await startApi({ SIGNALBOX_SECRETS: folder, SIGNALBOX_BODY_LIMIT: "4096" });
  const hmac = { type: "hmac", secrets: ["file:hook-0", "file:hook-1"] };
  for (const definition of [
    { id: "paid", triggers: [{ type: "event", config: { eventType: "shop.paid", schema: { type: "object", required: ["order"] } } }] },
    { id: "signed", triggers: [{ type: "webhook", config: { path: "shop/signed", auth: hmac, schema: { required: ["order"] } } }] },
    {
      id: "waiting",
      triggers: [{ type: "webhook", config: { path: "waiting", auth: { type: "none" }, respond: "wait" }, condition: "event.data.go" }],
    },
    { id: "bearer", triggers: [{ type: "webhook", config: { path: "bearer", auth: { type: "bearer", secrets: ["file:hook-0"] } } }] },
    {
      id: "unset",
      triggers: [{ type: "webhook", config: { path: "unset", auth: { type: "bearer", secrets: ["env:SIGNALBOX_SECRET_NOT_SET"] } } }],
    },
    { id: "twin", triggers: ["a", "b"].map((id) => ({ id, type: "webhook", config: { path: "twin", auth: { type: "none" } } })) },
    { id: "nightly", triggers: [{ type: "schedule", config: { cron: "0 3 * * *", timezone: "Europe/Berlin" } }, { type: "manual" }] },
  ]) {
    const { status, body } = await api.call("POST /api/v1/workflows", {
      body: {
        name: "w",
        steps: [{ id: "a", type: "transform", config: { set: {} } }],
        output: { order: "${ input.order }" },
        ...definition,
        ...(definition.id !== "signed" && { output: { ok: true } }),
      },
    });
    expect({ status, body }).toMatchObject({ status: 201 });
  }
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const EVENT = { specversion: "1.0", id: "1", source: "/shop", type: "shop.paid", data: { order: "4711" } };
const count = async (workflowId: string) =>
  (await api.call<{ items: unknown[] }>(`GET /api/v1/executions?workflowId=${workflowId}&pageSize=200`)).body.items.length;
const publish = (body: unknown, headers: Record<string, string> = {}) =>
  api.call<{ receipts: EventReceipt[] }>("POST /api/v1/events", { body, headers });
const statusesOf = ({ receipts }: { receipts: EventReceipt[] }) => receipts.map(({ outcomes }) => outcomes.map(({ status }) => status));

describe("events", () => {
  test("the structured, the binary and the batch form of one event are one event", async () => {
    const first = await publish(EVENT, { "content-type": "application/cloudevents+json; charset=utf-8" });
    expect(first).toMatchObject({
      status: 202,
      body: { receipts: [{ eventId: "1", source: "/shop", outcomes: [{ workflowId: "paid", status: "STARTED" }] }] },
    });
    const binary = await publish(EVENT.data, { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "%2Fshop", "ce-type": "shop.paid" });
    expect(statusesOf(binary.body)).toEqual([["DUPLICATE"]]);
    const batch = await publish([EVENT, { ...EVENT, id: "2" }, { ...EVENT, type: "shop.lost" }], {
      "content-type": "application/cloudevents-batch+json",
    });
    expect(statusesOf(batch.body)).toEqual([["DUPLICATE"], ["STARTED"], []]);
    expect(await count("paid")).toBe(2);
  });

  test("twenty at once are one execution, also over GraphQL", async () => {
    const before = await count("paid");
    const event = { ...EVENT, id: "twenty" };
    const mutation = "mutation ($event: JSON!) { publishEvents(input: $event) { receipts { outcomes { status executionId } } } }";
    await Promise.all(Array.from({ length: 20 }, (_, n) => (n % 2 ? publish(event) : api.graphql(mutation, { event }))));
    expect(await count("paid")).toBe(before + 1);
  });

  test("data that does not fit the trigger's schema is told in the receipt, and a good event after it starts", async () => {
    const { status, body } = await publish([
      { ...EVENT, id: "bad", data: { ordr: 1 } },
      { ...EVENT, id: "good" },
    ]);
    expect(status).toBe(202);
    expect(body.receipts.map(({ outcomes }) => outcomes[0])).toMatchObject([
      { status: "REFUSED", code: "INVALID_INPUT" },
      { status: "STARTED" },
    ]);
  });

  test.each<[string, unknown, Record<string, string>, string, string?]>([
    ["not JSON", "{ nope", {}, "MALFORMED_JSON"],
    ["no event", {}, {}, "INVALID_INPUT", "/specversion"],
    ["a list", "7", {}, "INVALID_INPUT", ""],
    ["an event without a source", { ...EVENT, source: undefined }, {}, "INVALID_INPUT", "/source"],
    ["an event of another version", { ...EVENT, specversion: "0.3" }, {}, "INVALID_INPUT", "/specversion"],
    ["a time that is none", { ...EVENT, time: "yesterday" }, {}, "INVALID_INPUT", "/time"],
    ["an attribute with a wrong name", { ...EVENT, My_Own: "x" }, {}, "INVALID_INPUT", "/My_Own"],
    ["binary data", { ...EVENT, data_base64: "AAAA" }, {}, "INVALID_INPUT", "/data_base64"],
    ["data that is no JSON", { ...EVENT, datacontenttype: "text/xml" }, {}, "INVALID_INPUT", "/datacontenttype"],
    ["a batch with one bad event", [EVENT, { ...EVENT, id: "" }], {}, "INVALID_INPUT", "/1/id"],
    ["a binary event without a type", {}, { "ce-specversion": "1.0", "ce-id": "1", "ce-source": "s" }, "INVALID_INPUT", "/type"],
    ["more than the body limit", { ...EVENT, data: "x".repeat(5_000) }, {}, "TOO_LARGE"],
    ["another content type", "<event/>", { "content-type": "text/xml" }, "UNSUPPORTED_MEDIA_TYPE"],
    ["too many events", Array.from({ length: 101 }, () => ({})), {}, "INVALID_INPUT", ""],
  ])("%s is refused, and nothing starts", async (_name, body, headers, code, pointer) => {
    const before = await count("paid");
    const problem = await api.refused("POST /api/v1/events", { body, headers });
    expect(problem.code).toBe(code);
    if (pointer !== undefined) expect(problem.issues?.map((issue) => issue.pointer)).toContain(pointer);
    expect(await count("paid")).toBe(before);
  });

  test("CloudEvents' content types are taken for events only", async () => {
    const headers = { "content-type": "application/cloudevents+json" };
    expect((await api.refused("POST /api/v1/workflows/paid/execute", { body: {}, headers })).code).toBe("UNSUPPORTED_MEDIA_TYPE");
  });
});

/** An outcome, or the problem in its place. */
interface HookAnswer {
  status: string | number;
  executionId?: string | null;
  code?: string | null;
  details?: Record<string, unknown>;
}

interface SignOptions {
  secret?: string;
  /** Seconds since 1970. */
  at?: number;
  /** What is signed; the body unless told. */
  over?: string;
  form?: "hex" | "base64";
}

describe("webhooks", () => {
  const now = () => Math.floor(Date.now() / 1_000);
  function signed(
    body: string,
    { secret = SECRETS[0] ?? "", at = now(), over = body, form = "hex" }: SignOptions = {},
  ): Record<string, string> {
    const signature = createHmac("sha256", secret).update(`${at}.${over}`).digest(form);
    return { "content-type": "application/json", "x-signalbox-timestamp": String(at), "x-signalbox-signature": `sha256=${signature}` };
  }
  const post = (body: string, headers: Record<string, string>, hook = "shop/signed") =>
    api.call<HookAnswer>(`POST /hooks/default/${hook}`, { body, headers });

  test("a signed request starts one execution; its replay, also under the other secret, is the same one", async () => {
    const body = '{ "order":  "1" }';
    const at = now();
    const first = await post(body, signed(body, { at }));
    expect(first).toMatchObject({ status: 202, body: { workflowId: "signed", status: "STARTED" } });
    const replays = await Promise.all(
      Array.from({ length: 20 }, (_, n) => post(body, signed(body, { at, secret: SECRETS[n % 2] ?? "", form: n % 3 ? "hex" : "base64" }))),
    );
    expect(new Set(replays.map((replay) => `${replay.status} ${replay.body.status} ${replay.body.executionId}`))).toEqual(
      new Set([`202 DUPLICATE ${first.body.executionId}`]),
    );
    expect((await post(body, signed(body, { at: at - 1 }))).body.status).toBe("STARTED");
    expect(await count("signed")).toBe(2);
  });

  test.each<[string, () => Record<string, string>, string, string]>([
    ["no signature", () => ({ "content-type": "application/json" }), "UNAUTHENTICATED", "signature_missing"],
    ["a wrong signature", () => signed("{}", { secret: "guess" }), "UNAUTHENTICATED", "signature_mismatch"],
    ["a signature of another body", () => signed("{}", { over: "{ }" }), "UNAUTHENTICATED", "signature_mismatch"],
    [
      "a timestamp moved under the signature",
      () => ({ ...signed("{}"), "x-signalbox-timestamp": String(now() - 1) }),
      "UNAUTHENTICATED",
      "signature_mismatch",
    ],
    ["an old timestamp", () => signed("{}", { at: now() - 301 }), "UNAUTHENTICATED", "timestamp_outside_tolerance"],
    ["a timestamp of the future", () => signed("{}", { at: now() + 310 }), "UNAUTHENTICATED", "timestamp_outside_tolerance"],
    ["no timestamp that is one", () => ({ ...signed("{}"), "x-signalbox-timestamp": "today" }), "UNAUTHENTICATED", "timestamp_malformed"],
  ])("%s is UNAUTHENTICATED, and says why", async (_name, headers, code, reason) => {
    const before = await count("signed");
    const { status, body } = await post("{}", headers());
    expect({ status, code: body.code, reason: body.details?.["reason"] }).toEqual({ status: 401, code, reason });
    expect(await count("signed")).toBe(before);
  });

  test("a signed body that cannot be taken is refused with what is wrong with it", async () => {
    for (const [body, headers, code, status] of [
      ["{ nope", {}, "MALFORMED_JSON", 400],
      ["{}", {}, "INVALID_INPUT", 400],
      ['{"__proto__": {}}', {}, "INVALID_INPUT", 400],
      ["order=1", { "content-type": "application/x-www-form-urlencoded" }, "UNSUPPORTED_MEDIA_TYPE", 415],
      [`"${"x".repeat(5_000)}"`, {}, "TOO_LARGE", 413],
    ] as const) {
      expect(await post(body, { ...signed(body), ...headers })).toMatchObject({ status, body: { code } });
    }
  });

  test("an unknown path, one of another tenant, a path that two triggers have, a secret that is not set, another method", async () => {
    const headers = { "content-type": "application/json", authorization: "Bearer x" };
    expect(await post("{}", headers, "unknown")).toMatchObject({ status: 404, body: { code: "NOT_FOUND" } });
    expect((await api.refused("POST /hooks/another/waiting", { body: {} })).code).toBe("NOT_FOUND");
    expect(await post("{}", headers, "twin")).toMatchObject({ status: 409, body: { code: "CONFLICT" } });
    expect(await post("{}", headers, "unset")).toMatchObject({ status: 503, body: { code: "UNAVAILABLE" } });
    expect((await api.refused("GET /hooks/default/waiting")).code).toBe("METHOD_NOT_ALLOWED");
  });

  test("a bearer is compared, and the sender's own id makes repeats one", async () => {
    const headers = { "content-type": "application/json", authorization: "Bearer first-secret", "idempotency-key": "k" };
    expect((await post("{}", { ...headers, authorization: "Bearer second-secret" }, "bearer")).status).toBe(401);
    expect((await post("{}", { "content-type": "application/json" }, "bearer")).status).toBe(401);
    expect((await post("{}", headers, "bearer")).body.status).toBe("STARTED");
    expect((await post("{}", headers, "bearer")).body.status).toBe("DUPLICATE");
    expect((await post("{}", { ...headers, "idempotency-key": "l" }, "bearer")).body.status).toBe("STARTED");
  });

  test("respond wait answers with the end; what does not apply is told at once", async () => {
    const headers = { "content-type": "application/json" };
    expect(await post('{"go": true}', headers, "waiting")).toMatchObject({
      status: 200,
      body: { status: "COMPLETED", output: { ok: true } },
    });
    expect(await post('{"go": false}', headers, "waiting")).toMatchObject({ status: 202, body: { status: "SKIPPED" } });
  });
});

describe("triggers of a workflow", () => {
  const base = "/api/v1/workflows/nightly/triggers";

  test("are listed with the next five ticks, and switched off and on by new versions", async () => {
    const { body } = await api.call<{ items: { id: string; nextFires: string[]; isActive: boolean }[] }>(`GET ${base}`);
    expect(body.items.map(({ id, isActive }) => ({ id, isActive }))).toEqual([
      { id: "schedule", isActive: true },
      { id: "manual", isActive: true },
    ]);
    const hours = (body.items[0]?.nextFires ?? []).map((time) =>
      new Date(time).toLocaleString("en", { timeZone: "Europe/Berlin", hour: "numeric" }),
    );
    expect(hours).toEqual(Array.from({ length: 5 }, () => "3 AM"));
    expect((await api.call(`POST ${base}/schedule/disable`)).body).toMatchObject({ enabled: false, isActive: false, nextFires: [] });
    expect((await api.call("GET /api/v1/workflows/nightly")).body).toMatchObject({ version: 2 });
    expect((await api.call<{ nextFires: string[] }>(`POST ${base}/schedule/enable`)).body.nextFires).toHaveLength(5);
    expect((await api.refused(`POST ${base}/nothing/enable`)).code).toBe("NOT_FOUND");
  });

  test("are fired by name, or only asked what would come of it", async () => {
    const fire = (body: object) => api.call<TriggerOutcome>(`POST ${base}/manual/fire`, { body });
    const told = await fire({ dryRun: true, event: { id: "x" } });
    expect(told.body).toMatchObject({ status: "STARTED", reason: expect.stringContaining("would") as string });
    expect(await count("nightly")).toBe(0);
    expect((await fire({ event: { id: "x" } })).body).toMatchObject({ status: "STARTED", executionId: told.body.executionId });
    expect((await fire({ event: { id: "x" } })).body.status).toBe("DUPLICATE");
    expect((await api.refused(`POST ${base}/manual/fire`, { body: { event: { ids: 1 } } })).issues).toMatchObject([
      { pointer: "/event/ids" },
    ]);
  });
});
