import { parse } from "graphql";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { checkDocument } from "../../src/api/graphql/limits.ts";
import { ASK, LINE, ROUTE } from "./definitions.ts";
import { startApi, type ApiClient } from "./support.ts";

let api: ApiClient;

beforeAll(async () => {
  api = await startApi();
  for (const body of [LINE, ASK, ROUTE]) await api.call("POST /api/v1/workflows", { body });
});
afterAll(async () => await api[Symbol.asyncDispose]());

const { id: _id, ...unnamed } = LINE;

async function data<T>(query: string, variables?: Record<string, unknown>): Promise<T> {
  const answer = await api.graphql<T>(query, variables);
  expect(answer.errors).toEqual([]);
  return answer.data;
}

test("a workflow is created, changed, run and archived over GraphQL alone", async () => {
  const { createWorkflow } = await data<{ createWorkflow: { id: string; version: number } }>(
    "mutation ($input: WorkflowInput!) { createWorkflow(input: $input) { id version } }",
    { input: unnamed },
  );
  const { id } = createWorkflow;
  const changed = { ...unnamed, description: "changed", owner: null };
  const { updateWorkflow } = await data<{ updateWorkflow: unknown }>(
    "mutation ($id: ID!, $input: WorkflowInput!) { updateWorkflow(id: $id, input: $input) { version description steps { id nextSteps { to when } } } }",
    { id, input: changed },
  );
  expect(updateWorkflow).toMatchObject({
    version: 2,
    description: "changed",
    steps: [{ id: "begin", nextSteps: [{ to: "one", when: null }] }, {}, {}, {}, {}],
  });
  const { executeWorkflow } = await data<{ executeWorkflow: { id: string } }>(
    'mutation ($id: ID!) { executeWorkflow(id: $id, wait: "10s", input: { input: { amount: 2 } }) { id status output progress { completed total } } }',
    { id },
  );
  expect(executeWorkflow).toMatchObject({ status: "COMPLETED", output: { total: 5 }, progress: { completed: 5, total: 5 } });
  expect(await data("mutation ($id: ID!) { deleteWorkflow(id: $id) { status isActive } }", { id })).toEqual({
    deleteWorkflow: { status: "archived", isActive: false },
  });
});

test("every verb is there", async () => {
  const { id, waits } = await api.execute("ask", { input: { amount: 1 } });
  const verb = (text: string) => data(`mutation ($id: ID!) { ${text} { status } }`, { id });
  expect(await verb('pauseExecution(id: $id, reason: "lunch")')).toEqual({ pauseExecution: { status: "PAUSED" } });
  expect(await verb("resumeExecution(id: $id)")).toEqual({ resumeExecution: { status: "RUNNING" } });
  expect(await verb('signalExecution(id: $id, event: "ping", data: { a: [1, null] }, eventId: "e1")')).toEqual({
    signalExecution: { status: "RUNNING" },
  });
  const decided = await data(
    'mutation ($id: ID!) { decideApproval(id: $id, input: { decision: "reject", reason: "no" }) { status reason decidedBy } }'.replace(
      "$id: ID!) {",
      "$id: ID!) {",
    ),
    { id: waits[0]?.id },
  );
  expect(decided).toEqual({ decideApproval: { status: "REJECTED", reason: "no", decidedBy: "local" } });
  const failing = await api.execute("ask", {});
  expect(failing.status).toBe("FAILED");
  expect(await data("mutation ($id: ID!) { retryExecution(id: $id, mode: skip, output: null) { id } }", { id: failing.id })).toMatchObject({
    retryExecution: { id: failing.id },
  });
  const cancelled = await api.execute("ask", { input: { amount: 1 } });
  expect(
    await data('mutation ($id: ID!) { cancelExecution(id: $id, reason: "over") { status error { code } } }', { id: cancelled.id }),
  ).toEqual({ cancelExecution: { status: "CANCELLED", error: { code: "CANCELLED" } } });
});

test("a query reads everything there is to read", async () => {
  const { id } = await api.execute("route", { input: { text: "an error and a crash" } });
  const all = await data<Record<string, unknown[]>>(`{
    workflow(id: "route") { name trigger { type } triggers { type } variables policy { allowedModels } limits { maxSteps } executionStats { completed } lastExecuted executions(limit: 1) { id } }
    workflowsPage(pageSize: 1) { items { id } nextPageToken }
    execution(id: "${id}") { status steps { stepId status next } decisions { selected candidates { id verdict } } checkpoints { seq label } stateAt(seq: 3) events(last: 2, beforeSeq: 5) { seq type } approvals { id } workflow { id } usage { modelCalls } trigger { type } }
    events(executionId: "${id}", afterSeq: 2, limit: 2) { seq }
    decisions(filter: { executionId: "${id}" }) { id stepId source offline }
    stepTypes { type group configSchema }
    validateWorkflow(input: { name: "x" }) { valid issues { code pointer } }
    me { id tenant scopes }
  }`);
  expect(all["execution"]).toMatchObject({
    status: "COMPLETED",
    events: [{ seq: 3 }, { seq: 4 }],
    decisions: [{ selected: "support" }],
    workflow: { id: "route" },
  });
  expect(all["events"]).toEqual([{ seq: 3 }, { seq: 4 }]);
  expect(all["workflowsPage"]).toMatchObject({ items: [{}], nextPageToken: expect.any(String) as unknown });
  expect(all["validateWorkflow"]).toMatchObject({ valid: false });
  const [{ id: decisionId } = { id: "" }] = all["decisions"] as { id: string }[];
  const { decision } = await data<{ decision: { id: string } }>("query ($id: ID!) { decision(id: $id) { id attempts { outcome } } }", {
    id: decisionId,
  });
  expect(decision.id).toBe(decisionId);
});

test("relations of a page cost one read of the store each, however many rows there are", async () => {
  for (let index = 0; index < 6; index += 1) await api.execute("line", { input: { amount: index } });
  const { store } = api.app;
  const reads = {
    getMany: vi.spyOn(store.workflows, "getMany"),
    stats: vi.spyOn(store.executions, "stats"),
    recentOf: vi.spyOn(store.executions, "recentOf"),
    pagesOf: vi.spyOn(store.events, "pagesOf"),
    listOfWaits: vi.spyOn(store.waits, "listOf"),
    listOfDecisions: vi.spyOn(store.decisions, "listOf"),
    getWorkflow: vi.spyOn(store.workflows, "get"),
    getExecution: vi.spyOn(store.executions, "get"),
    after: vi.spyOn(store.events, "after"),
  };
  const { executions } = await data<{ executions: { id: string; events: unknown[]; steps: unknown[] }[] }>(`{
    executions { id workflow { name executionStats { total } executions(limit: 2) { id } } steps { stepId } events(first: 5) { seq } decisions { id } approvals { id } }
  }`);
  const counts = Object.fromEntries(Object.entries(reads).map(([name, spy]) => [name, spy.mock.calls.length]));
  for (const spy of Object.values(reads)) spy.mockRestore();
  expect(executions.length).toBeGreaterThan(6);
  expect(executions.every(({ events, steps }) => events.length > 0 && steps.length > 0)).toBe(true);
  // Steps and events are two reads of events.
  expect(counts).toEqual({
    getMany: 1,
    stats: 1,
    recentOf: 1,
    pagesOf: 2,
    listOfWaits: 1,
    listOfDecisions: 1,
    getWorkflow: 0,
    getExecution: 0,
    after: 0,
  });
});

describe("errors", () => {
  test("carry code, status and retryable, beside what did work", async () => {
    const { status, data: partly, errors } = await api.graphql('{ me { id } gone: workflow(id: "gone") { id } }');
    expect(status).toBe(200);
    expect(partly).toEqual({ me: { id: "local" }, gone: null });
    expect(errors).toMatchObject([{ path: ["gone"], extensions: { code: "NOT_FOUND", status: 404, retryable: false } }]);
  });

  test.each([
    ["{ workflow(", "syntax"],
    ["{ nothing }", "unknown field"],
    ["{ workflow { id } }", "missing argument"],
    ["query A { me { id } } query B { me { id } }", "two operations and no name"],
    ["query ($id: ID!) { workflow(id: $id) { id } }", "missing variable"],
    ["", "no query"],
    ['mutation { retryExecution(id: "x", mode: sideways) { id } }', "unknown enum value"],
  ])("%s is INVALID_INPUT", async (query) => {
    const { errors } = await api.graphql(query);
    expect(errors[0]?.extensions).toMatchObject({ code: "INVALID_INPUT" });
  });

  test("a wrong variable is told with its pointer", async () => {
    const { errors } = await api.graphql("mutation ($input: WorkflowInput!) { createWorkflow(input: $input) { id } }", {
      input: { ...unnamed, steps: [{ id: "a", type: "end", colour: 1 }] },
    });
    expect(errors[0]?.extensions.issues).toMatchObject([{ pointer: "/input/steps/0" }]);
  });

  test("what is unexpected shows its code and nothing else", async () => {
    const broken = vi.spyOn(api.app.store.workflows, "list").mockRejectedValue(new Error("password=hunter2"));
    const { errors } = await api.graphql("{ workflows { id } }");
    const problem = await api.refused("GET /api/v1/workflows");
    broken.mockRestore();
    expect(errors[0]?.extensions).toMatchObject({ code: "INTERNAL", status: 500 });
    expect(problem.code).toBe("INTERNAL");
    expect(JSON.stringify([errors, problem])).not.toContain("hunter2");
  });

  test("what the engine itself finds wrong is hidden as well", async () => {
    const { executor, store } = api.app;
    const { id } = await api.execute("line", { input: { amount: 1 } });
    const [first] = await executor.events("default", id, { limit: 1 });
    const beyondInt = { ...(await executor.get("default", id)), id: "beyond-int", priority: 3_000_000_000, lastSeq: 1 };
    await store.executions.create(beyondInt, first ? [first] : []);
    const { status, errors } = await api.graphql('{ execution(id: "beyond-int") { id priority } }');
    expect(status).toBe(200);
    expect(errors).toMatchObject([{ path: ["execution", "priority"], extensions: { code: "INTERNAL" } }]);
    expect(JSON.stringify(errors)).not.toContain("3000000000");
  });

  test("a mutation by GET is refused", async () => {
    const { body } = await api.call<{ errors: { extensions: { code: string } }[] }>(
      `GET /graphql?query=${encodeURIComponent('mutation { deleteWorkflow(id: "line") { id } }')}`,
    );
    expect(body.errors[0]?.extensions.code).toBe("METHOD_NOT_ALLOWED");
    expect((await api.call(`GET /graphql?query=${encodeURIComponent("{ me { id } }")}`)).body).toEqual({ data: { me: { id: "local" } } });
  });
});

describe("limits", () => {
  const nested = (depth: number) =>
    `${'{ execution(id: "x") { workflow { executions '.repeat(1)}${"{ workflow { executions ".repeat(depth)}{ id }${" } }".repeat(depth)} } } }`;

  test.each([
    ["100 aliases of one field", `{ me { ${Array.from({ length: 100 }, (_, index) => `a${index}: id`).join(" ")} } }`],
    ["1,000 aliases", `{ ${Array.from({ length: 1_000 }, (_, index) => `a${index}: me { id }`).join(" ")} }`],
    [
      "200 aliased mutations",
      `mutation { ${Array.from({ length: 200 }, (_, index) => `a${index}: deleteWorkflow(id: "line") { id }`).join(" ")} }`,
    ],
    ["nesting without end", nested(40)],
    ["100,000 resolved fields", "{ executions(pageSize: 200) { workflow { executions(limit: 200) { id status workflowId } } } }"],
    [
      "a fragment of fragments",
      `{ ...f0 } ${Array.from({ length: 40 }, (_, index) => `fragment f${index} on Query { ...f${index + 1} ...f${index + 1} }`).join(" ")} fragment f40 on Query { executions { id } }`,
    ],
    ["fragments in a circle", "{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }"],
    ["more tokens than anybody types", `{ me { ${"id ".repeat(5_000)} } }`],
  ])("%s are refused, quickly", async (_what, query) => {
    const startedAt = process.cpuUsage();
    const { errors } = await api.graphql(query);
    const cpuMs = process.cpuUsage(startedAt).user / 1_000;
    expect(errors[0]?.extensions.code).toBe("INVALID_INPUT");
    expect(cpuMs).toBeLessThan(500);
    expect((await api.call("GET /api/v1/workflows/line")).body).toMatchObject({ status: "active" });
  });

  test("a query longer than 32 KiB is refused before it is parsed", async () => {
    const { errors } = await api.graphql(`{ me { id } } # ${"x".repeat(33_000)}`);
    expect(errors[0]?.extensions.code).toBe("TOO_LARGE");
  });

  test("the introspection GraphiQL sends passes", async () => {
    const { getIntrospectionQuery } = await import("graphql");
    const query = getIntrospectionQuery({ inputValueDeprecation: true, schemaDescription: true });
    expect(() => checkDocument(parse(query))).not.toThrow();
    const { __schema } = await data<{ __schema: { types: unknown[] } }>(query);
    expect(__schema.types.length).toBeGreaterThan(40);
  });
});
