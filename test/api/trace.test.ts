import { expect, test } from "vitest";
import { startApi } from "./support.ts";

const TRACEPARENT = `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`;
const LINE = { id: "line", name: "Line", status: "active", steps: [{ id: "one", type: "transform", config: { set: {} } }] };

test("an execution remembers the trace of the request that started it, over REST and GraphQL; what is none is no error", async () => {
  await using api = await startApi();
  await api.call("POST /api/v1/workflows", { body: LINE });
  const startedIn = async (id: string) => (await api.app.store.executions.get("default", id))?.execution.startedIn;
  const start = async (headers: Record<string, string>) => {
    const { status, body } = await api.call<{ id: string }>("POST /api/v1/workflows/line/execute", { body: {}, headers });
    expect(status).toBe(202);
    return body.id;
  };
  expect(await startedIn(await start({ traceparent: TRACEPARENT }))).toBe(TRACEPARENT);
  expect(await startedIn(await start({}))).toBeUndefined();
  expect(await startedIn(await start({ traceparent: "00-nonsense" }))).toBeUndefined();
  const { body } = await api.call<{ data: { executeWorkflow: { id: string } } }>("POST /graphql", {
    body: { query: 'mutation { executeWorkflow(id: "line", input: {}) { id } }' },
    headers: { traceparent: TRACEPARENT },
  });
  expect(await startedIn(body.data.executeWorkflow.id)).toBe(TRACEPARENT);
});

test("the event of a webhook carries the trace of its request", async () => {
  await using api = await startApi({ SIGNALBOX_SECRET_HOOK: "hook-secret-1" });
  const triggers = [{ type: "webhook", config: { path: "in", auth: { type: "none" } } }];
  const created = await api.call("POST /api/v1/workflows", { body: { ...LINE, triggers } });
  expect(created.status, JSON.stringify(created.body)).toBe(201);
  const { body } = await api.call<{ executionId: string }>("POST /hooks/default/in", { body: {}, headers: { traceparent: TRACEPARENT } });
  const stored = await api.app.store.executions.get("default", body.executionId);
  expect(stored?.execution.trigger.event).toMatchObject({ extensions: { traceparent: TRACEPARENT } });
});
