import { LINE } from "./definitions.ts";

const EXECUTE =
  "mutation ($id: ID!, $input: ExecutionInput!, $key: String, $wait: String) { executeWorkflow(id: $id, input: $input, idempotencyKey: $key, wait: $wait) { id } }";
const CREATE = "mutation ($input: WorkflowInput!) { createWorkflow(input: $input) { id } }";
const UPDATE =
  "mutation ($id: ID!, $input: WorkflowInput!, $ifMatch: String) { updateWorkflow(id: $id, input: $input, ifMatch: $ifMatch) { id } }";
const { id: _id, ...unnamed } = LINE;
export const nobody = "00000000-0000-4000-8000-000000000000";

/** One mistake, made over REST and over GraphQL. */
export const MISTAKES: readonly {
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
