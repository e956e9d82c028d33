import { createHash } from "node:crypto";
import path from "node:path";
import { expect, test } from "vitest";
import { OPERATIONS, SUBSCRIPTIONS } from "../../src/api/operations/index.ts";
import { ASK, ROUTE } from "./definitions.ts";
import { startApi, type ApiClient } from "./support.ts";

const key = (name: string) => ({ authorization: `Bearer ${name}-key` });
const KEYS = ["acme", "evil"].map((tenant) => ({
  id: tenant,
  tenant,
  scopes: "all",
  sha256: createHash("sha256").update(`${tenant}-key`).digest("hex"),
}));

const SETTINGS = {
  HOST: "0.0.0.0",
  SIGNALBOX_AUTH: "api-key",
  SIGNALBOX_API_KEYS: JSON.stringify(KEYS),
  SIGNALBOX_STEPS: path.join(import.meta.dirname, "steps"),
};

/** One of each kind that somebody has to look after. */
const CHORES = {
  failing: [{ id: "s", type: "cut_off" }],
  unsure: [{ id: "s", type: "cut_off", effect: "once" }],
  handed: [{ id: "s", type: "task", config: { queue: "q" } }],
};

/** What each operation that names a thing is sent, beside the id. */
const BODIES: Record<string, unknown> = {
  updateWorkflow: { ...ASK, name: "Taken over" },
  executeWorkflow: { input: { amount: 1 } },
  retryExecution: {},
  signalExecution: { event: "hello" },
  decideApproval: { decision: "approved" },
  settleEffect: { outcome: "fail" },
  heartbeatTask: { token: 1 },
  completeTask: { token: 1 },
  failTask: { token: 1, code: "NO", message: "no" },
};

/** Query strings that an operation cannot do without. */
const QUERIES: Record<string, string> = { stateAt: "?seq=1", limitLine: "?limit=workflow:alone" };

/** What means a thing of the caller's own, under a name that anybody may use. */
const MEANS_ITS_OWN = new Set(["putEventType", "forgetMemory"]);

test("whoever names a thing of another tenant is told that there is none, by every operation", async () => {
  await using api = await startApi(SETTINGS);
  const ids = await thingsOfAcme(api);
  let checked = 0;
  for (const { name, route, noun } of OPERATIONS) {
    if (!/:\w+/.test(route) || MEANS_ITS_OWN.has(name)) continue;
    const url = route.replace(/:version/, "1").replace(/:\w+/, ids[noun] ?? ids["executions"] ?? "") + (QUERIES[name] ?? "");
    const body = route.startsWith("POST") || route.startsWith("PUT") ? (BODIES[name] ?? {}) : undefined;
    const answer = await api.refused(url, { body, headers: key("evil") });
    expect([answer.status, answer.code], name).toEqual([404, "NOT_FOUND"]);
    checked += 1;
  }
  expect(checked).toBeGreaterThan(15);
  // Nothing of it had an effect.
  const { body } = await api.call<{ name: string }>("GET /api/v1/workflows/ask", { headers: key("acme") });
  expect(body.name).toBe(ASK.name);
  const { body: execution } = await api.call<{ status: string }>(`GET /api/v1/executions/${ids["executions"]}`, { headers: key("acme") });
  expect(execution.status).toBe("RUNNING");
});

test("lists, relations and subscriptions show the caller's tenant alone", async () => {
  await using api = await startApi(SETTINGS);
  const ids = await thingsOfAcme(api);
  for (const { name, route, output } of OPERATIONS.filter(
    ({ output: schema }) => "shape" in schema && "items" in (schema.shape as object),
  )) {
    if (/:\w+/.test(route) || name === "stepTypes") continue;
    const url = route + (QUERIES[name] ?? "");
    const own = await api.call<{ items: unknown[] }>(url, { headers: key("acme") });
    const theirs = await api.call<{ items: unknown[] }>(url, { headers: key("evil") });
    expect(own.body.items.length, `${name} ${String(output)}`).toBeGreaterThan(0);
    expect(theirs.body.items, name).toEqual([]);
  }
  const query = `{ workflow(id: "ask") { id } execution(id: "${ids["executions"]}") { id } workflows { id } }`;
  const graphql = await api.call<{ data: unknown }>("POST /graphql", { body: { query }, headers: key("evil") });
  expect(graphql.body.data).toEqual({ workflow: null, execution: null, workflows: [] });
  expect(SUBSCRIPTIONS.length).toBeGreaterThan(0);
  for (const { name, subscribe, input } of SUBSCRIPTIONS) {
    const { executor, workflows, triggers, events, webhooks, store } = api.app;
    const services = {
      executor,
      workflows,
      triggers,
      events,
      webhooks,
      store,
      stepTypes: { get: () => undefined, list: () => [] },
      clock: { now: Date.now, after: () => () => {} },
    };
    const signal = new AbortController().signal;
    const context = {
      services,
      principal: { id: "key:evil", tenant: "evil", scopes: "all" as const },
      expiresAt: null,
      signal: () => signal,
    };
    const live = subscribe(context, input.parse({ executionId: ids["executions"] }), signal)[Symbol.asyncIterator]();
    await expect(live.next(), name).rejects.toMatchObject({ code: "NOT_FOUND" });
  }
});

async function thingsOfAcme(api: ApiClient): Promise<Record<string, string>> {
  for (const definition of [ASK, ROUTE]) {
    await api.call("POST /api/v1/workflows", { body: { ...definition, status: "active" }, headers: key("acme") });
  }
  // A closed port of this machine: what is to be delivered is in the log, whatever comes of it.
  const endpoint = { url: "http://127.0.0.1:9/hook" };
  await api.call("POST /api/v1/webhook-endpoints", { body: endpoint, headers: key("acme") });
  const run = async (id: string, input: object) =>
    (await api.call<{ id: string }>(`POST /api/v1/workflows/${id}/execute?wait=10s`, { body: { input }, headers: key("acme") })).body.id;
  for (const [id, steps] of Object.entries(CHORES)) {
    await api.call("POST /api/v1/workflows", { body: { id, name: id, steps }, headers: key("acme") });
    await run(id, {});
  }
  const alone = {
    id: "alone",
    name: "Alone",
    limits: { concurrency: { max: 1 } },
    steps: [{ id: "s", type: "delay", config: { for: "1h" } }],
  };
  await api.call("POST /api/v1/workflows", { body: alone, headers: key("acme") });
  await run("alone", {});
  await api.call("POST /api/v1/workflows/alone/execute", { body: { input: {} }, headers: key("acme") });
  await api.call("PUT /api/v1/event-types/shop.paid", { body: { schema: { type: "object" } }, headers: key("acme") });
  const event = { specversion: "1.0", id: "1", source: "/shop", type: "shop.paid", data: {} };
  await api.call("POST /api/v1/events", { body: event, headers: key("acme") });
  const noEvent = { id: "m", data: Buffer.from("{"), attributes: {}, publishedAt: new Date().toISOString(), origin: "//broker/topic" };
  await api.app.events.handleMessage("acme", noEvent, "pubsub");
  const asked = await run("ask", { amount: 1 });
  const routed = await run("route", { message: "my invoice is wrong" });
  const first = async (url: string) =>
    (await api.call<{ items: { id: string }[] }>(`GET ${url}`, { headers: key("acme") })).body.items[0]?.id ?? "";
  await expect.poll(() => first("/api/v1/webhook-deliveries"), { timeout: 10_000 }).not.toBe("");
  return {
    webhooks: await first("/api/v1/webhook-endpoints"),
    workflows: "ask",
    executions: asked,
    approvals: await first(`/api/v1/approvals?executionId=${asked}`),
    decisions: await first(`/api/v1/decisions?executionId=${routed}`),
  };
}
