import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ASK, LINE } from "./definitions.ts";
import { startApi, type ApiClient } from "./support.ts";

let api: ApiClient;

beforeAll(async () => {
  api = await startApi();
  for (const body of [LINE, ASK]) await api.call("POST /api/v1/workflows", { body });
  await api.call("POST /api/v1/workflows", { body: { ...LINE, id: "asleep", status: "draft" } });
  await api.call("POST /api/v1/workflows/line/execute", { body: { input: { amount: 1 } }, headers: { "idempotency-key": "taken" } });
});
afterAll(async () => await api[Symbol.asyncDispose]());

const EXECUTE =
  "mutation ($id: ID!, $input: ExecutionInput!, $key: String, $wait: String) { executeWorkflow(id: $id, input: $input, idempotencyKey: $key, wait: $wait) { id } }";
const CREATE = "mutation ($input: WorkflowInput!) { createWorkflow(input: $input) { id } }";
const UPDATE =
  "mutation ($id: ID!, $input: WorkflowInput!, $ifMatch: String) { updateWorkflow(id: $id, input: $input, ifMatch: $ifMatch) { id } }";
const { id: _id, ...unnamed } = LINE;
const nobody = "00000000-0000-4000-8000-000000000000";

/** One mistake, made over REST and over GraphQL. */
const ROWS: readonly {
  mistake: string;
  code: string;
  /** The offending path in the REST body. */
  pointer?: string;
  rest: [route: string, body?: unknown, headers?: Record<string, string>];
  graphql: [query: string, variables: Record<string, unknown>];
}[] = [
  {
    mistake: "an unknown field in a definition",
    code: "INVALID_INPUT",
    pointer: "/colour",
    rest: ["POST /api/v1/workflows", { ...unnamed, colour: "red" }],
    graphql: [CREATE, { input: { ...unnamed, colour: "red" } }],
  },
  {
    mistake: "a server-owned field in a definition",
    code: "INVALID_INPUT",
    pointer: "/executionStats",
    rest: ["POST /api/v1/workflows", { ...unnamed, executionStats: {} }],
    graphql: [CREATE, { input: { ...unnamed, executionStats: {} } }],
  },
  {
    mistake: "a wrong type in a definition",
    code: "INVALID_INPUT",
    pointer: "/steps/0/id",
    rest: ["POST /api/v1/workflows", { ...unnamed, steps: [{ id: 7, type: "end" }] }],
    graphql: [CREATE, { input: { ...unnamed, steps: [{ id: { a: 1 }, type: "end" }] } }],
  },
  {
    mistake: "a definition without steps",
    code: "INVALID_INPUT",
    pointer: "/steps",
    rest: ["POST /api/v1/workflows", { name: "x" }],
    graphql: [CREATE, { input: { name: "x" } }],
  },
  {
    mistake: "an edge to nowhere",
    code: "INVALID_DEFINITION",
    rest: ["POST /api/v1/workflows", { name: "x", steps: [{ id: "a", type: "start", nextSteps: ["gone"] }] }],
    graphql: [CREATE, { input: { name: "x", steps: [{ id: "a", type: "start", nextSteps: ["gone"] }] } }],
  },
  {
    mistake: "an unknown step type",
    code: "INVALID_DEFINITION",
    rest: ["POST /api/v1/workflows", { name: "x", steps: [{ id: "a", type: "teleport" }] }],
    graphql: [CREATE, { input: { name: "x", steps: [{ id: "a", type: "teleport" }] } }],
  },
  {
    mistake: "an expression that cannot be read",
    code: "INVALID_DEFINITION",
    rest: ["POST /api/v1/workflows", { name: "x", steps: [{ id: "a", type: "transform", config: { set: { v: "${ 1 + }" } } }] }],
    graphql: [CREATE, { input: { name: "x", steps: [{ id: "a", type: "transform", config: { set: { v: "${ 1 + }" } } }] } }],
  },
  { mistake: "an id that is taken", code: "CONFLICT", rest: ["POST /api/v1/workflows", LINE], graphql: [CREATE, { input: LINE }] },
  {
    mistake: "an update of what is not there",
    code: "NOT_FOUND",
    rest: ["PUT /api/v1/workflows/gone", unnamed],
    graphql: [UPDATE, { id: "gone", input: unnamed }],
  },
  {
    mistake: "an update based on an old revision",
    code: "VERSION_MISMATCH",
    rest: ["PUT /api/v1/workflows/line", unnamed, { "if-match": '"99"' }],
    graphql: [UPDATE, { id: "line", input: unnamed, ifMatch: '"99"' }],
  },
  {
    mistake: "an If-Match that is no ETag of ours",
    code: "VERSION_MISMATCH",
    rest: ["PUT /api/v1/workflows/line", unnamed, { "if-match": 'W/"1"' }],
    graphql: [UPDATE, { id: "line", input: unnamed, ifMatch: 'W/"1"' }],
  },
  {
    mistake: "starting an unknown workflow",
    code: "NOT_FOUND",
    rest: ["POST /api/v1/workflows/gone/execute", {}],
    graphql: [EXECUTE, { id: "gone", input: {} }],
  },
  {
    mistake: "starting a draft",
    code: "WORKFLOW_NOT_ACTIVE",
    rest: ["POST /api/v1/workflows/asleep/execute", {}],
    graphql: [EXECUTE, { id: "asleep", input: {} }],
  },
  {
    mistake: "an unknown field beside the input",
    code: "INVALID_INPUT",
    pointer: "/inputs",
    rest: ["POST /api/v1/workflows/line/execute", { inputs: {} }],
    graphql: [EXECUTE, { id: "line", input: { inputs: {} } }],
  },
  {
    mistake: "an input that is no object",
    code: "INVALID_INPUT",
    pointer: "/input",
    rest: ["POST /api/v1/workflows/line/execute", { input: [1] }],
    graphql: [EXECUTE, { id: "line", input: { input: [1] } }],
  },
  {
    mistake: "an input that does not fit the workflow's schema",
    code: "INVALID_INPUT",
    pointer: "/input/amount",
    rest: ["POST /api/v1/workflows/line/execute", { input: { amount: "much" } }],
    graphql: [EXECUTE, { id: "line", input: { input: { amount: "much" } } }],
  },
  {
    mistake: "a variable nobody declared",
    code: "INVALID_INPUT",
    rest: ["POST /api/v1/workflows/line/execute", { variables: { other: 1 } }],
    graphql: [EXECUTE, { id: "line", input: { variables: { other: 1 } } }],
  },
  {
    mistake: "both names of the input",
    code: "INVALID_INPUT",
    pointer: "/inputData",
    rest: ["POST /api/v1/workflows/line/execute", { input: {}, inputData: {} }],
    graphql: [EXECUTE, { id: "line", input: { input: {}, inputData: {} } }],
  },
  {
    mistake: "an unknown version",
    code: "NOT_FOUND",
    rest: ["POST /api/v1/workflows/line/execute", { version: 77 }],
    graphql: [EXECUTE, { id: "line", input: { version: 77 } }],
  },
  {
    mistake: "a wait that is no duration",
    code: "INVALID_INPUT",
    rest: ["POST /api/v1/workflows/line/execute?wait=soon", {}],
    graphql: [EXECUTE, { id: "line", input: {}, wait: "soon" }],
  },
  {
    mistake: "a wait that is too long",
    code: "INVALID_INPUT",
    rest: ["POST /api/v1/workflows/line/execute?wait=2h", {}],
    graphql: [EXECUTE, { id: "line", input: {}, wait: "2h" }],
  },
  {
    mistake: "an idempotency key used with another request",
    code: "IDEMPOTENCY_MISMATCH",
    rest: ["POST /api/v1/workflows/line/execute", { input: { amount: 2 } }, { "idempotency-key": "taken" }],
    graphql: [EXECUTE, { id: "line", input: { input: { amount: 2 } }, key: "taken" }],
  },
  {
    mistake: "an unknown workflow",
    code: "NOT_FOUND",
    rest: ["GET /api/v1/workflows/gone"],
    graphql: ["query ($id: ID!) { workflow(id: $id) { id } }", { id: "gone" }],
  },
  {
    mistake: "an unknown workflow version",
    code: "NOT_FOUND",
    rest: ["GET /api/v1/workflows/line/versions/9"],
    graphql: ['query { workflowVersion(id: "line", version: 9) { id } }', {}],
  },
  {
    mistake: "an unknown execution",
    code: "NOT_FOUND",
    rest: [`GET /api/v1/executions/${nobody}`],
    graphql: ["query ($id: ID!) { execution(id: $id) { id } }", { id: nobody }],
  },
  {
    mistake: "events of an unknown execution",
    code: "NOT_FOUND",
    rest: [`GET /api/v1/executions/${nobody}/events`],
    graphql: ["query ($id: ID!) { events(executionId: $id) { seq } }", { id: nobody }],
  },
  {
    mistake: "steps of an unknown execution",
    code: "NOT_FOUND",
    rest: [`GET /api/v1/executions/${nobody}/steps`],
    graphql: ["query ($id: ID!) { steps(executionId: $id) { stepId } }", { id: nobody }],
  },
  {
    mistake: "cancelling an unknown execution",
    code: "NOT_FOUND",
    rest: [`POST /api/v1/executions/${nobody}/cancel`],
    graphql: ["mutation ($id: ID!) { cancelExecution(id: $id) { id } }", { id: nobody }],
  },
  {
    mistake: "both directions of paging events",
    code: "INVALID_INPUT",
    pointer: "/beforeSeq",
    rest: [`GET /api/v1/executions/${nobody}/events?afterSeq=1&beforeSeq=2`],
    graphql: ["query ($id: ID!) { events(executionId: $id, afterSeq: 1, beforeSeq: 2) { seq } }", { id: nobody }],
  },
  {
    mistake: "an unknown status",
    code: "INVALID_INPUT",
    pointer: "/filter/status",
    rest: ["GET /api/v1/executions?status=SLEEPING"],
    graphql: ["query ($f: ExecutionFilter) { executions(filter: $f) { id } }", { f: { status: "SLEEPING" } }],
  },
  {
    mistake: "a page that is too large",
    code: "INVALID_INPUT",
    pointer: "/pageSize",
    rest: ["GET /api/v1/executions?pageSize=100000"],
    graphql: ["query { executions(pageSize: 100000) { id } }", {}],
  },
  {
    mistake: "a page token of nobody's",
    code: "INVALID_PAGE_TOKEN",
    rest: ["GET /api/v1/executions?pageToken=nonsense"],
    graphql: ['query { executions(pageToken: "nonsense") { id } }', {}],
  },
  {
    mistake: "an unknown approval",
    code: "NOT_FOUND",
    rest: ["POST /api/v1/approvals/gone/decide", { decision: "approve" }],
    graphql: ['mutation ($i: ApprovalDecisionInput!) { decideApproval(id: "gone", input: $i) { id } }', { i: { decision: "approve" } }],
  },
  {
    mistake: "an unknown decision",
    code: "NOT_FOUND",
    rest: ["GET /api/v1/decisions/gone"],
    graphql: ['query { decision(id: "gone") { id } }', {}],
  },
];

describe.each(ROWS)("$mistake", ({ code, pointer, rest: [route, body, headers], graphql: [query, variables] }) => {
  test(`is ${code} over REST, with a problem document`, async () => {
    const problem = await api.refused(route, { ...(body === undefined ? {} : { body }), ...(headers && { headers }) });
    expect(problem.code).toBe(code);
    expect(problem.status).toBeGreaterThanOrEqual(400);
    expect(problem.status).toBeLessThan(500);
    if (pointer !== undefined) expect(problem.issues?.map((issue) => issue.pointer)).toContain(pointer);
  });

  test(`is ${code} over GraphQL, in an answer with status 200`, async () => {
    const { status, errors } = await api.graphql(query, variables);
    expect(status).toBe(200);
    expect(errors.map(({ extensions }) => extensions.code)).toContain(code);
    expect(errors[0]?.extensions.status).toBeLessThan(500);
  });
});

test("a verb that does not fit the status is CONFLICT on both surfaces", async () => {
  const { id } = await api.execute("line", { input: { amount: 1 } });
  expect((await api.refused(`POST /api/v1/executions/${id}/resume`)).code).toBe("CONFLICT");
  const { errors } = await api.graphql("mutation ($id: ID!) { resumeExecution(id: $id) { id } }", { id });
  expect(errors[0]?.extensions.code).toBe("CONFLICT");
});

test("an approval takes one of its choices, values that fit its form, and one answer", async () => {
  const { waits } = await api.execute("ask", { input: { amount: 1 } });
  const route = `POST /api/v1/approvals/${waits[0]?.id}/decide`;
  expect(await api.refused(route, { body: { decision: "perhaps" } })).toMatchObject({
    code: "INVALID_INPUT",
    issues: [{ pointer: "/decision" }],
  });
  expect(await api.refused(route, { body: { decision: "approve", values: { limit: "high" } } })).toMatchObject({
    code: "INVALID_INPUT",
    issues: [{ pointer: "/values/limit" }],
  });
  expect((await api.call(route, { body: { decision: "approve", values: { limit: 3 }, reason: "fine" } })).body).toMatchObject({
    status: "APPROVED",
    reason: "fine",
    values: { limit: 3 },
    decidedBy: "local",
  });
  expect((await api.refused(route, { body: { decision: "reject" } })).code).toBe("ALREADY_DECIDED");
});

describe("bodies", () => {
  const create = "POST /api/v1/workflows";

  test.each([
    ["is no JSON", "{name: 1}", "MALFORMED_JSON"],
    ["stops in the middle", '{"name": "x', "MALFORMED_JSON"],
    ["is a list", "[]", "INVALID_INPUT"],
    ["is null", "null", "INVALID_INPUT"],
    ["is empty", "", "INVALID_INPUT"],
    ["is larger than the limit", `"${"x".repeat(1_100_000)}"`, "TOO_LARGE"],
    ["is nested very deeply", "[".repeat(200_000) + "]".repeat(200_000), "INVALID_INPUT"],
    ["sets __proto__", '{"name": "x", "__proto__": {"admin": true}, "steps": []}', "INVALID_INPUT"],
    ["sets constructor.prototype", '{"name": "x", "constructor": {"prototype": {"admin": true}}, "steps": []}', "INVALID_INPUT"],
  ])("one that %s is refused over REST", async (_what, body, code) => {
    expect((await api.refused(create, { body })).code).toBe(code);
  });

  test.each([
    ["is no JSON", "{query", 400, "MALFORMED_JSON"],
    ["is a list of queries", '[{"query":"{ me { id } }"}]', 400, "INVALID_INPUT"],
    ["has no query", '{"variables":{}}', 400, "INVALID_INPUT"],
    ["is larger than the limit", `{"query":"${"x".repeat(1_100_000)}"}`, 413, "TOO_LARGE"],
  ])("one that %s is refused over GraphQL in GraphQL's shape", async (_what, body, status, code) => {
    const answer = await api.call<{ data: null; errors: { extensions: { code: string } }[] }>("POST /graphql", { body });
    expect(answer.status).toBe(status);
    expect(answer.body).toMatchObject({ data: null, errors: [{ extensions: { code } }] });
  });

  test("one of another media type is UNSUPPORTED_MEDIA_TYPE", async () => {
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/xml"]) {
      expect((await api.refused(create, { body: "{}", headers: { "content-type": type } })).code).toBe("UNSUPPORTED_MEDIA_TYPE");
    }
  });

  test("a key __proto__ inside a GraphQL literal or variable is refused", async () => {
    const literal = await api.graphql('mutation { executeWorkflow(id: "line", input: { input: { __proto__: { admin: true } } }) { id } }');
    expect(literal.errors[0]?.extensions.code).toBe("INVALID_INPUT");
    const variable = await api.call("POST /graphql", {
      body: `{"query":"mutation($i: ExecutionInput!){executeWorkflow(id:\\"line\\",input:$i){id}}","variables":{"i":{"input":{"__proto__":{"a":1}}}}}`,
    });
    expect(variable.status).toBe(400);
    expect(Object.prototype).not.toHaveProperty("admin");
  });
});

test("unknown and repeated query parameters are named", async () => {
  expect(await api.refused("GET /api/v1/executions?colour=red&statu=RUNNING")).toMatchObject({
    code: "INVALID_INPUT",
    issues: [{ pointer: "/colour" }, { pointer: "/statu" }],
  });
  expect((await api.refused("GET /api/v1/executions?status=RUNNING&status=FAILED")).code).toBe("INVALID_INPUT");
});

test("a body cannot name what the path names", async () => {
  const { id } = await api.execute("line", { input: { amount: 1 } });
  expect(await api.refused(`POST /api/v1/executions/${id}/cancel`, { body: { id: nobody } })).toMatchObject({
    code: "INVALID_INPUT",
    issues: [{ pointer: "/id" }],
  });
});
