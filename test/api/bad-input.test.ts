import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ASK, LINE } from "./definitions.ts";
import { MISTAKES, nobody } from "./mistakes.ts";
import { startApi, type ApiClient } from "./support.ts";

let api: ApiClient;

beforeAll(async () => {
  api = await startApi();
  for (const body of [LINE, ASK]) await api.call("POST /api/v1/workflows", { body });
  await api.call("POST /api/v1/workflows", { body: { ...LINE, id: "asleep", status: "draft" } });
  await api.call("POST /api/v1/workflows/line/execute", { body: { input: { amount: 1 } }, headers: { "idempotency-key": "taken" } });
});
afterAll(async () => await api[Symbol.asyncDispose]());

describe.each(MISTAKES)("$mistake", ({ code, pointer, rest: [route, body, headers], graphql: [query, variables] }) => {
  test(`is ${code} over REST, with a problem document`, async () => {
    const problem = await api.refused(route, { ...(body === undefined ? {} : { body }), ...(headers && { headers }) });
    expect(problem.code).toBe(code);
    expect(problem.status).toBeGreaterThanOrEqual(400);
    expect(problem.status).toBeLessThan(500);
    const pointers = problem.issues?.map((issue) => issue.pointer) ?? [];
    expect([pointer, ...pointers].includes(undefined) || pointers.includes(pointer ?? "")).toBe(true);
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

test("a value may be nested 60 levels deep, and not 80, in a body and in a GraphQL literal", async () => {
  const nested = (levels: number) => `{ "input": { "amount": 1, "deep": ${"[".repeat(levels)}${"]".repeat(levels)} } }`;
  expect((await api.call("POST /api/v1/workflows/line/execute", { body: nested(60) })).status).toBe(202);
  expect(await api.refused("POST /api/v1/workflows/line/execute", { body: nested(80) })).toMatchObject({ issues: [{ code: "TOO_DEEP" }] });
  const literal = (levels: number) => `mutation { executeWorkflow(id: "line", input: ${nested(levels).replaceAll('"', "")}) { id } }`;
  expect((await api.graphql(literal(60))).errors).toEqual([]);
  expect((await api.graphql(literal(80))).errors[0]?.extensions.code).toBe("INVALID_INPUT");
});

test("unknown and repeated query parameters are named", async () => {
  expect(await api.refused("GET /api/v1/executions?colour=red&statu=RUNNING")).toMatchObject({
    code: "INVALID_INPUT",
    issues: [{ pointer: "/colour" }, { pointer: "/statu" }],
  });
  expect((await api.refused("GET /api/v1/executions?status=RUNNING&status=FAILED")).code).toBe("INVALID_INPUT");
});

test("types have the names JSON gives them", async () => {
  const { issues } = await api.refused("POST /api/v1/workflows", { body: { id: "w", name: "w", output: "text", steps: [] } });
  expect(issues).toContainEqual({ code: "WRONG_TYPE", pointer: "/output", message: "must be object" });
});

test("a body cannot name what the path names", async () => {
  const { id } = await api.execute("line", { input: { amount: 1 } });
  expect(await api.refused(`POST /api/v1/executions/${id}/cancel`, { body: { id: nobody } })).toMatchObject({
    code: "INVALID_INPUT",
    issues: [{ pointer: "/id" }],
  });
});
