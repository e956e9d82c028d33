import { createHash } from "node:crypto";
import path from "node:path";
import { expect, test } from "vitest";
import { OPERATIONS, SUBSCRIPTIONS } from "../../src/api/operations/index.ts";
import { ASK } from "./definitions.ts";
import { startApi } from "./support.ts";
import { makeThings } from "./things.ts";

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
  const ids = await makeThings(api, { tenant: "acme", headers: key("acme") });
  let checked = 0;
  for (const { name, route } of OPERATIONS) {
    if (!/:\w+/.test(route) || MEANS_ITS_OWN.has(name)) continue;
    const url = route.replace(":version", "1").replace(/:\w+/, ids[route.split("/")[3] ?? ""] ?? "") + (QUERIES[name] ?? "");
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
  const ids = await makeThings(api, { tenant: "acme", headers: key("acme") });
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
