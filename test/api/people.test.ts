import { createHash } from "node:crypto";
import path from "node:path";
import { expect, test } from "vitest";
import { startHttpServer } from "../support/http-server.ts";
import { startApi, type ApiClient } from "./support.ts";

const KEYS = {
  author: { scopes: "all" },
  ann: { scopes: ["executions:read", "approvals:decide"], groups: ["finance"] },
  bob: { scopes: ["executions:read", "approvals:decide"], groups: ["finance"] },
  carl: { scopes: ["executions:read", "approvals:decide"] },
  reader: { scopes: ["executions:read"] },
} as const;
const SIGNALBOX_API_KEYS = JSON.stringify(
  Object.entries(KEYS).map(([id, key]) => ({ id, sha256: createHash("sha256").update(id).digest("hex"), tenant: "acme", ...key })),
);
const as = (name: keyof typeof KEYS) => ({ "x-api-key": name });

const ASK = {
  id: "ask",
  name: "Ask",
  steps: [
    {
      id: "ask",
      type: "approval",
      config: {
        title: "Pay?",
        assignees: ["group:finance"],
        quorum: 2,
        propose: 80,
        editable: { type: "number" },
        separationOfDuties: true,
      },
      nextSteps: [{ to: "yes" }, { to: "no", on: "rejected" }],
    },
    { id: "yes", type: "end" },
    { id: "no", type: "end" },
  ],
  output: { ask: "${ steps.ask.output }" },
};

async function define(api: ApiClient, workflow: { id: string }): Promise<void> {
  expect((await api.call("POST /api/v1/workflows", { body: workflow, headers: as("author") })).status).toBe(201);
}

async function execute(api: ApiClient, id: string): Promise<string> {
  const route = `POST /api/v1/workflows/${id}/execute?wait=10s`;
  return (await api.call<{ id: string }>(route, { body: {}, headers: as("author") })).body.id;
}

test("votes, quorum, edits and who may decide are told over REST and GraphQL", async () => {
  await using api = await startApi({ SIGNALBOX_AUTH: "api-key", SIGNALBOX_API_KEYS });
  await define(api, ASK);
  const executionId = await execute(api, "ask");
  const mine = async (name: keyof typeof KEYS) =>
    (await api.call<{ items: { id: string }[] }>("GET /api/v1/approvals?mine=true", { headers: as(name) })).body.items.map(({ id }) => id);
  const [id = ""] = await mine("ann");
  expect(await mine("carl")).toEqual([]);
  const decide = `POST /api/v1/approvals/${id}/decide`;
  const refused = async (name: keyof typeof KEYS, body: object) => (await api.refused(decide, { body, headers: as(name) })).code;
  expect(await refused("carl", { decision: "approve" })).toBe("FORBIDDEN");
  expect(await refused("author", { decision: "approve" })).toBe("FORBIDDEN");
  expect(await refused("reader", { decision: "approve" })).toBe("FORBIDDEN");
  const first = await api.call(decide, { body: { decision: "approve", value: 60, reason: "cheaper" }, headers: as("ann") });
  expect(first.body).toMatchObject({ status: "PENDING", approvals: 1, quorum: 2, proposed: 80, value: 60, proposal: 1 });
  expect(await refused("ann", { decision: "approve", proposal: 1 })).toBe("ALREADY_VOTED");
  expect(await refused("bob", { decision: "approve" })).toBe("INVALID_INPUT");
  expect(await mine("ann")).toEqual([]);
  expect(await mine("bob")).toEqual([id]);
  const last = await api.call(decide, { body: { decision: "approve", proposal: 1 }, headers: as("bob") });
  expect(last.body).toMatchObject({ status: "APPROVED", decidedBy: "key:bob", approvals: 2 });
  expect(await refused("bob", { decision: "approve", proposal: 1 })).toBe("ALREADY_DECIDED");
  const { body } = await api.call<{ data: unknown }>("POST /graphql", {
    headers: as("reader"),
    body: {
      query: `query ($id: ID!) { execution(id: $id) { status output approvals { status kind level levels quorum rejectAt reminders
        votes { by decision reason isEdit value } proposed value } } }`,
      variables: { id: executionId },
    },
  });
  expect(body.data).toMatchObject({
    execution: {
      status: "COMPLETED",
      output: { ask: { proposed: 80, value: 60, by: "key:bob" } },
      approvals: [
        {
          status: "APPROVED",
          kind: "approval",
          level: 1,
          quorum: 2,
          reminders: 0,
          votes: [
            { by: "key:ann", decision: "approve", reason: "cheaper", isEdit: true, value: 60 },
            { by: "key:bob", decision: "approve", isEdit: false, value: 60 },
          ],
        },
      ],
    },
  });
});

const BROKEN = {
  id: "broken",
  name: "Broken",
  variables: { n: { type: "number", default: 0 } },
  steps: [
    { id: "begin", type: "start", nextSteps: ["div"] },
    { id: "div", type: "transform", config: { set: { n: "${ 10 / int(vars.n) }" } } },
  ],
  output: { n: "${ steps.div.output.n }" },
};

test("failed executions are a list to work off: filter, dry run, retry with an edit, dismiss", async () => {
  await using api = await startApi();
  expect((await api.call("POST /api/v1/workflows", { body: BROKEN })).status).toBe(201);
  const ids: string[] = [];
  for (let n = 0; n < 3; n++) ids.push((await api.execute("broken")).id);
  const list = async (query = "") => (await api.call<{ items: { executionId: string }[] }>(`GET /api/v1/dead-letters${query}`)).body.items;
  expect(await list("?errorCode=EXPRESSION_FAILED&stepId=div")).toHaveLength(3);
  expect((await list())[0]).toMatchObject({
    isRetryable: true,
    failedSteps: ["div"],
    error: { code: "EXPRESSION_FAILED" },
    dismissal: null,
  });
  expect(await list(`?failedBefore=${encodeURIComponent("2020-01-01T00:00:00+02:00")}`)).toEqual([]);
  await api.call(`POST /api/v1/executions/${ids[0]}/dismiss`, { body: { note: "a test" } });
  expect(await list("?dismissed=true")).toMatchObject([{ executionId: ids[0], dismissal: { by: "local", note: "a test" } }]);
  const bulk = (body: object) => api.call<{ done: string[] }>("POST /api/v1/dead-letters/retry", { body });
  const where = { workflowId: "broken" };
  expect((await bulk({ where, dryRun: true, limit: 1 })).body).toEqual({ matched: [ids[2]], done: [], refused: [], hasMore: true });
  expect((await bulk({ where, mode: "edit", edit: { variables: { n: "two" } } })).body).toMatchObject({
    done: [],
    refused: [{ code: "INVALID_INPUT" }, { code: "INVALID_INPUT" }],
  });
  expect((await bulk({ where, mode: "edit", edit: { variables: { n: 2 } } })).body.done.toSorted()).toEqual(ids.slice(1).toSorted());
  for (const id of ids.slice(1)) {
    await expect
      .poll(async () => (await api.call(`GET /api/v1/executions/${id}`)).body)
      .toMatchObject({ status: "COMPLETED", output: { n: 5 } });
  }
  const { data } = await api.graphql(`mutation { dismissDeadLetters(where: {}, note: "rest") { matched done } }`);
  expect(data).toEqual({ dismissDeadLetters: { matched: [], done: [] } });
  expect((await api.refused(`POST /api/v1/executions/${ids[1]}/dismiss`, { body: {} })).code).toBe("CONFLICT");
});

test("unknown effects are listed and settled; the wrong id is none", async () => {
  await using api = await startApi({ SIGNALBOX_STEPS: path.join(import.meta.dirname, "steps") });
  const steps = [{ id: "pay", type: "cut_off", effect: "once" }];
  await api.call("POST /api/v1/workflows", { body: { id: "pay", name: "Pay", steps, output: { pay: "${ steps.pay.output }" } } });
  const happened = await api.execute("pay");
  const given = await api.execute("pay");
  const { body } = await api.call<{ items: { id: string; executionId: string }[] }>("GET /api/v1/effects");
  expect(body.items).toMatchObject([
    { executionId: given.id, idempotencyKey: `${given.id}/pay/1`, why: "cut off", outcome: null, attempt: 1 },
    { executionId: happened.id },
  ]);
  const settle = (executionId: string, answer: object) =>
    api.call(`POST /api/v1/effects/${body.items.find((effect) => effect.executionId === executionId)?.id}/settle`, { body: answer });
  expect((await settle(happened.id, { outcome: "happened", output: 4711 })).body).toMatchObject({
    outcome: "happened",
    output: 4711,
    settledBy: "local",
  });
  expect((await settle(happened.id, { outcome: "retry" })).body).toMatchObject({ code: "ALREADY_DECIDED" });
  await settle(given.id, { outcome: "fail", reason: "not found there" });
  expect((await api.call(`GET /api/v1/executions/${happened.id}`)).body).toMatchObject({ status: "COMPLETED", output: { pay: 4711 } });
  expect((await api.call(`GET /api/v1/executions/${given.id}`)).body).toMatchObject({
    status: "FAILED",
    error: { code: "EFFECT_UNKNOWN" },
  });
  const { data } = await api.graphql("{ effects { id } settled: effects(filter: {settled: true}) { outcome } }");
  expect(data).toEqual({ effects: [], settled: [{ outcome: "fail" }, { outcome: "happened" }] });
  expect((await api.refused("POST /api/v1/effects/nothing/settle", { body: { outcome: "retry" } })).code).toBe("NOT_FOUND");
});

test("a receiver calls back over HTTP at the address it was given, without other credentials", async () => {
  await using api = await startApi({ SIGNALBOX_AUTH: "api-key", SIGNALBOX_API_KEYS, SIGNALBOX_EGRESS_ALLOW: "127.0.0.1" });
  await using receiver = await startHttpServer((_request, response) => void response.writeHead(202).end());
  const steps = [{ id: "call", type: "webhook", config: { url: receiver.url, method: "POST", callback: {} } }];
  await define(api, { id: "call", name: "Call", steps, output: { got: "${ steps.call.output.callback }" } } as never);
  const id = await execute(api, "call");
  const url = String(receiver.requests[0]?.headers["signalbox-callback-url"]);
  expect(url.startsWith(`${api.base}/callbacks/acme.`)).toBe(true);
  const route = `POST ${url.slice(api.base.length)}`;
  const answers = [await api.call(route, { body: { ok: 1 } }), await api.call(route, { body: { ok: 1 } })];
  expect(answers).toMatchObject([
    { status: 202, body: { executionId: id, duplicate: false } },
    { status: 202, body: { duplicate: true } },
  ]);
  expect((await api.refused(route, { body: { ok: 2 } })).code).toBe("CALLBACK_OVER");
  expect((await api.refused("POST /callbacks/acme.unknown", { body: {} })).code).toBe("NOT_FOUND");
  await expect
    .poll(async () => (await api.call(`GET /api/v1/executions/${id}`, { headers: as("reader") })).body)
    .toMatchObject({ status: "COMPLETED", output: { got: { ok: 1 } } });
});
