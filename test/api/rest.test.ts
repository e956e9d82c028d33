import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { OPERATIONS } from "../../src/api/operations/index.ts";
import type { ExecutionView } from "../../src/api/views/execution.ts";
import type { WorkflowView } from "../../src/api/views/workflow.ts";
import type { ExecutionEvent } from "../../src/definition/event.ts";
import { ASK, LINE, ROUTE, TALK } from "./definitions.ts";
import { startApi, type ApiClient } from "./support.ts";
import { makeThings } from "./things.ts";

let api: ApiClient;

beforeAll(async () => {
  api = await startApi();
  for (const body of [LINE, ASK, ROUTE, TALK]) await api.call("POST /api/v1/workflows", { body });
});
afterAll(async () => await api[Symbol.asyncDispose]());

const { id: _id, ...unnamed } = LINE;

test("every answer fits the schema its operation declares", async () => {
  await using full = await startApi({ SIGNALBOX_STEPS: join(import.meta.dirname, "steps") });
  const ids = await makeThings(full, { tenant: "default" });
  const queries: Record<string, string> = { stateAt: "?seq=5", limitLine: "?limit=workflow:alone" };
  for (const { route, output, name } of OPERATIONS.filter(({ route: address }) => address.startsWith("GET") && !address.includes(":ref"))) {
    const noun = route.split("/")[3] ?? "";
    const url = route.replace(":version", "1").replace(/:\w+/, ids[noun] ?? "") + (queries[name] ?? "");
    const { status, body } = await full.call(url);
    expect(status, url).toBe(200);
    expect(output.safeParse(body).error?.issues ?? [], url).toEqual([]);
  }
});

test("what is remembered under a key can be read and forgotten, and a foreign key is unknown", async () => {
  const path = "/api/v1/memories/support%2Fbob";
  expect(await api.refused(`GET ${path}`)).toMatchObject({ status: 404, code: "NOT_FOUND" });
  await api.execute("talk", { input: { customer: "bob" } });
  const { body } = await api.call<{ key: string; messages: { role: string }[] }>(`GET ${path}`);
  expect({ key: body.key, roles: body.messages.map(({ role }) => role) }).toEqual({ key: "support/bob", roles: ["user", "assistant"] });
  expect((await api.call(`DELETE ${path}`)).body).toEqual({ key: "support/bob", forgotten: true });
  expect((await api.call(`DELETE ${path}`)).body).toEqual({ key: "support/bob", forgotten: false });
  expect((await api.refused(`GET ${path}`)).status).toBe(404);
});

test("create answers 201 with Location and ETag, and what it made is there", async () => {
  const { status, headers, body } = await api.call<WorkflowView>("POST /api/v1/workflows", {
    body: { ...unnamed, tags: ["fresh"], trigger: { type: "manual" } },
  });
  expect(status).toBe(201);
  expect(headers.get("location")).toBe(`/api/v1/workflows/${body.id}`);
  expect(headers.get("etag")).toBe('"1"');
  expect(body).toMatchObject({ version: 1, revision: 1, isActive: true, trigger: { type: "manual" }, executionStats: { total: 0 } });
  const read = await api.call<WorkflowView>(`GET ${headers.get("location")}`);
  expect(read.body).toEqual(body);
  expect((await api.call<{ items: WorkflowView[] }>("GET /api/v1/workflows?tags=fresh")).body.items.map(({ id }) => id)).toEqual([body.id]);
});

test("an update needs the ETag it is based on, when it gives one, and old versions stay", async () => {
  const { body, headers } = await api.call<WorkflowView>("POST /api/v1/workflows", { body: unnamed });
  const path = `/api/v1/workflows/${body.id}`;
  const etag = headers.get("etag") ?? "";
  const changed = { ...unnamed, description: "changed" };
  const updated = await api.call<WorkflowView>(`PUT ${path}`, { body: changed, headers: { "if-match": etag } });
  expect(updated.body).toMatchObject({ version: 2, description: "changed" });
  expect(updated.headers.get("etag")).not.toBe(etag);
  expect(await api.refused(`PUT ${path}`, { body: unnamed, headers: { "if-match": etag } })).toMatchObject({
    code: "VERSION_MISMATCH",
    status: 412,
  });
  expect(await api.refused(`DELETE ${path}`, { headers: { "if-match": etag } })).toMatchObject({ status: 412 });
  expect((await api.call(`GET ${path}/versions/1`)).body).toMatchObject({ version: 1, definition: { name: "Line" } });
  expect((await api.call<WorkflowView>(`DELETE ${path}`)).body).toMatchObject({ status: "archived", isActive: false });
  expect(await api.refused(`POST ${path}/execute`, { body: {} })).toMatchObject({ code: "WORKFLOW_NOT_ACTIVE" });
});

test("a client that has the present revision is answered 304", async () => {
  const { headers } = await api.call("GET /api/v1/workflows/line");
  const again = await api.call("GET /api/v1/workflows/line", { headers: { "if-none-match": headers.get("etag") ?? "" } });
  expect(again.status).toBe(304);
});

test("secret defaults are never shown, and an update that leaves one out keeps it", async () => {
  const secret = {
    ...unnamed,
    variables: { token: { type: "string", default: "s3cret-canary", secret: true } },
    output: { length: "${ size(vars.token) }" },
    steps: [{ id: "only", type: "end" }],
  };
  const { body } = await api.call<WorkflowView>("POST /api/v1/workflows", { body: secret });
  const seen = await Promise.all([
    api.call(`GET /api/v1/workflows/${body.id}`),
    api.call(`GET /api/v1/workflows/${body.id}/versions/1`),
    api.call("GET /api/v1/workflows?pageSize=200"),
    api.graphql(`{ workflow(id: "${body.id}") { variables } workflowVersion(id: "${body.id}", version: 1) { definition { variables } } }`),
  ]);
  expect(JSON.stringify([body, ...seen])).not.toContain("s3cret-canary");
  const definition = { ...secret, variables: { token: { type: "string", secret: true } }, description: "sent back as it was read" };
  await api.call(`PUT /api/v1/workflows/${body.id}`, { body: definition });
  const { output } = await api.execute(body.id);
  expect(output).toEqual({ length: "s3cret-canary".length });
});

test("execute answers 202 with Location before the end, and 200 with the result when told to wait", async () => {
  const started = await api.call<ExecutionView>("POST /api/v1/workflows/line/execute", { body: { input: { amount: 4 } } });
  expect(started.status).toBe(202);
  expect(started.headers.get("location")).toBe(`/api/v1/executions/${started.body.id}`);
  for (const [query, headers] of [
    ["?wait=10s", {}],
    ["", { prefer: "wait=10" }],
    ["", { prefer: "respond-async, wait=10" }],
  ] as const) {
    const ended = await api.call<ExecutionView>(`POST /api/v1/workflows/line/execute${query}`, { body: { input: { amount: 4 } }, headers });
    expect(ended.status).toBe(200);
    expect(ended.body).toMatchObject({ status: "COMPLETED", output: { total: 9 }, error: null, progress: { completed: 5, total: 5 } });
    expect(ended.body.completedAt).toBe(ended.body.endedAt);
  }
  const waiting = await api.call<ExecutionView>("POST /api/v1/workflows/ask/execute?wait=10s", { body: { input: { amount: 4 } } });
  expect(waiting.status).toBe(202);
  expect(waiting.body).toMatchObject({ status: "RUNNING", currentStep: "check", waits: [{ kind: "approval", stepId: "check", visit: 1 }] });
});

test("the input may be called inputData or input_data, and may be left out", async () => {
  for (const body of [{ inputData: { amount: 1 } }, { input_data: { amount: 1 } }]) {
    expect(await api.execute("line", body)).toMatchObject({ input: { amount: 1 }, output: { total: 3 } });
  }
  const bare = await api.call("POST /api/v1/workflows/ask/execute");
  expect(bare.status).toBe(202);
});

test("the same Idempotency-Key gives the first execution again", async () => {
  const headers = { "idempotency-key": "order-17" };
  const body = { input: { amount: 17 } };
  const answers = await Promise.all(
    Array.from({ length: 8 }, () => api.call<ExecutionView>("POST /api/v1/workflows/line/execute", { body, headers })),
  );
  expect(new Set(answers.map((answer) => answer.body.id)).size).toBe(1);
  const { data } = await api.graphql<{ executeWorkflow: { id: string } }>(
    'mutation { executeWorkflow(id: "line", idempotencyKey: "order-17", input: { input: { amount: 17 } }) { id } }',
  );
  expect(data.executeWorkflow.id).toBe(answers[0]?.body.id);
});

test("lists are walked by pageToken without a gap or a repeat, in both spellings of their filters", async () => {
  const { body } = await api.call<WorkflowView>("POST /api/v1/workflows", { body: unnamed });
  const started: string[] = [];
  for (let index = 0; index < 7; index += 1) started.push((await api.execute(body.id, { input: { amount: index } })).id);
  const seen: string[] = [];
  let pageToken: string | undefined;
  do {
    const query = `workflow_id=${body.id}&status=COMPLETED&pageSize=3${pageToken === undefined ? "" : `&pageToken=${pageToken}`}`;
    const page = (await api.call<{ items: ExecutionView[]; nextPageToken?: string }>(`GET /api/v1/executions?${query}`)).body;
    seen.push(...page.items.map(({ id }) => id));
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  expect(seen.toSorted()).toEqual(started.toSorted());
  const camel = (await api.call<{ items: ExecutionView[] }>(`GET /api/v1/executions?workflowId=${body.id}`)).body;
  expect(camel.items).toHaveLength(7);
});

test("events are read forward by afterSeq and backward by beforeSeq", async () => {
  const { id, lastSeq } = await api.execute("line", { input: { amount: 1 } });
  const read = async (query: string) =>
    (await api.call<{ items: ExecutionEvent[] }>(`GET /api/v1/executions/${id}/events${query}`)).body.items.map(({ seq }) => seq);
  const all = Array.from({ length: lastSeq }, (_, index) => index + 1);
  expect(await read("")).toEqual(all);
  expect(await read("?afterSeq=3&limit=4")).toEqual([4, 5, 6, 7]);
  expect(await read("?after_seq=3&limit=4")).toEqual([4, 5, 6, 7]);
  expect(await read("?beforeSeq=9&limit=4")).toEqual([5, 6, 7, 8]);
  expect(await read(`?afterSeq=${lastSeq}`)).toEqual([]);
});

test("the state at a seq, the checkpoints and the steps tell one story", async () => {
  const { id, lastSeq } = await api.execute("line", { input: { amount: 5 } });
  const state = await api.call<{ variables: { total: number } }>(`GET /api/v1/executions/${id}/state?seq=${lastSeq}`);
  expect(state.body.variables.total).toBe(11);
  expect((await api.call<{ variables: { total: number } }>(`GET /api/v1/executions/${id}/state?seq=1`)).body.variables.total).toBe(0);
  const steps = await api.call<{ items: { stepId: string; status: string }[] }>(`GET /api/v1/executions/${id}/steps`);
  expect(steps.body.items.map(({ stepId }) => stepId)).toEqual(["begin", "one", "two", "three", "finish"]);
  const checkpoints = await api.call<{ items: { seq: number }[] }>(`GET /api/v1/executions/${id}/checkpoints`);
  expect(checkpoints.body.items.length).toBeGreaterThan(0);
});

test("a large value is shown as a reference, and read by it", async () => {
  const copies = { ...unnamed, steps: [{ id: "copy", type: "transform", config: { set: { text: "${ input.text }" } } }] };
  const { body } = await api.call<WorkflowView>("POST /api/v1/workflows", { body: copies });
  const text = "large ".repeat(20_000);
  const { id } = await api.execute(body.id, { input: { text } });
  const steps = await api.call<{ items: { output: { $ref: string } }[] }>(`GET /api/v1/executions/${id}/steps`);
  const ref = steps.body.items[0]?.output.$ref ?? "";
  expect((await api.call(`GET /api/v1/executions/${id}/values/${encodeURIComponent(ref)}`)).body).toEqual({ ref, value: { text } });
  expect(await api.refused(`GET /api/v1/executions/${id}/values/none`)).toMatchObject({ code: "NOT_FOUND" });
});

test("an execution is paused, resumed, cancelled over REST", async () => {
  const { id } = await api.execute("ask", { input: { amount: 1 } });
  expect((await api.call(`POST /api/v1/executions/${id}/pause`, { body: { reason: "lunch" } })).body).toMatchObject({ status: "PAUSED" });
  expect((await api.call(`POST /api/v1/executions/${id}/resume`)).body).toMatchObject({ status: "RUNNING" });
  expect((await api.call(`POST /api/v1/executions/${id}/cancel`, { body: { reason: "over" } })).body).toMatchObject({
    status: "CANCELLED",
  });
  expect((await api.call(`POST /api/v1/executions/${id}/cancel`)).status).toBe(200);
  const open = await api.call<{ items: { status: string }[] }>(`GET /api/v1/approvals?execution_id=${id}`);
  expect(open.body.items.map(({ status }) => status)).toEqual(["CANCELLED"]);
});

test("validate reports every problem at once and saves nothing", async () => {
  const bad = {
    name: "x",
    steps: [
      { id: "a", type: "start", nextSteps: ["gone"] },
      { id: "b", type: "teleport" },
    ],
  };
  const report = await api.call<{ valid: boolean; issues: { pointer: string }[] }>("POST /api/v1/workflows/validate", { body: bad });
  expect(report.status).toBe(200);
  expect(report.body.valid).toBe(false);
  expect(report.body.issues.length).toBeGreaterThan(1);
  expect((await api.call<{ valid: boolean }>("POST /api/v1/workflows/validate", { body: LINE })).body.valid).toBe(true);
});

test("a path that exists answers other methods with 405 and Allow, an unknown one with 404", async () => {
  const patched = await fetch(`${api.base}/api/v1/workflows/line`, { method: "PATCH", body: "{}" });
  expect(patched.status).toBe(405);
  expect(patched.headers.get("allow")).toBe("GET, PUT, DELETE, HEAD, OPTIONS");
  expect(await patched.json()).toMatchObject({ code: "METHOD_NOT_ALLOWED" });
  expect(await api.refused("DELETE /api/v1/executions")).toMatchObject({ status: 405 });
  expect(await api.refused("PUT /graphql", { body: {} })).toMatchObject({ status: 405 });
  expect(await api.refused("GET /api/v1/nothing")).toMatchObject({ code: "NOT_FOUND", status: 404 });
  expect(await api.refused("GET /api/v1/workflows/%ZZ")).toMatchObject({ code: "INVALID_INPUT" });
  expect((await fetch(`${api.base}/api/v1/workflows`, { method: "OPTIONS" })).status).toBe(204);
  expect((await fetch(`${api.base}/api/v1/workflows/line`, { method: "HEAD" })).status).toBe(200);
});

test("an answer carries the caller's request id, or one of ours where that is odd", async () => {
  expect((await api.call("GET /livez", { headers: { "x-request-id": "call-7" } })).headers.get("x-request-id")).toBe("call-7");
  expect((await api.call("GET /livez", { headers: { "x-request-id": "a b" } })).headers.get("x-request-id")).not.toBe("a b");
  const problem = await api.refused("GET /api/v1/workflows/gone", { headers: { "x-request-id": "call-8" } });
  expect(problem.requestId).toBe("call-8");
});

test("health is told on three addresses", async () => {
  for (const path of ["/livez", "/readyz", "/healthz"])
    expect(await api.call(`GET ${path}`)).toMatchObject({ status: 200, body: { status: "ok" } });
});

test("readiness turns red when the process is told to stop, liveness does not", async () => {
  const { createServer } = await import("../../src/api/server.ts");
  const { loadStepTypes } = await import("../../src/registry.ts");
  const { systemClock } = await import("../../src/ports/clock.ts");
  let ready = true;
  const { executor, workflows, triggers, events, webhooks, store, config } = api.app;
  const server = await createServer({
    executor,
    workflows,
    triggers,
    events,
    webhooks,
    store,
    config,
    stepTypes: await loadStepTypes(),
    clock: systemClock,
    readiness: () => (ready ? { ready } : { ready, reason: "draining" }),
  });
  expect((await server.inject("/readyz")).statusCode).toBe(200);
  ready = false;
  const red = await server.inject("/readyz");
  expect(red.statusCode).toBe(503);
  expect(red.json()).toEqual({ status: "not_ready", reason: "draining" });
  expect((await server.inject("/livez")).statusCode).toBe(200);
  await server.close();
});

test("the document and both pages are served from here alone", async () => {
  const document = await api.call("GET /openapi.json");
  expect(document.body).toMatchObject({ openapi: "3.1.0" });
  for (const [path, assets] of [
    ["/docs/", ["/docs/js/scalar.js"]],
    ["/graphiql", ["/graphiql/react.js", "/graphiql/react-dom.js", "/graphiql/graphiql.js", "/graphiql/graphiql.css"]],
  ] as const) {
    const response = await fetch(api.base + path);
    const html = await response.text();
    expect(response.status).toBe(200);
    // The browser itself would refuse another host; and the page names none.
    expect(response.headers.get("content-security-policy")).toContain("default-src 'self'");
    expect([...html.matchAll(/(?:src|href)="(https?:)?\/\/[^"]+"/g)].map(([match]) => match)).toEqual([]);
    for (const asset of assets) expect((await fetch(api.base + asset)).status, asset).toBe(200);
  }
  expect((await fetch(`${api.base}/graphql`, { headers: { accept: "text/html" }, redirect: "manual" })).headers.get("location")).toBe(
    "/graphiql",
  );
});
