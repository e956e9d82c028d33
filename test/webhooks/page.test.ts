import { afterEach, beforeEach, expect, test } from "vitest";
import { createApp, type App } from "../../src/app.ts";
import { loadConfig } from "../../src/config.ts";
import { LOCAL_PRINCIPAL } from "../../src/definition/access.ts";
import { WorkflowInput } from "../../src/definition/workflow.ts";
import { clientOf, type ApiClient } from "../api/support.ts";
import { blocksOf } from "../repository/documents.ts";
import { startHttpServer, type HttpServer } from "../support/http-server.ts";

// What docs/webhooks.md says, on the service as it runs: real requests, through the guard, to real receivers on this machine.
const PATIENT = { timeout: 50_000, interval: 20 };
const LONG = { timeout: 60_000 };
const [sh, js] = ["sh", "js"].map((language) => blocksOf("docs/webhooks.md").find((block) => block.language === language)?.text ?? "");

interface Endpoint {
  id: string;
  enabled: boolean;
  disabledReason: string | null;
}

let app: App;
let api: Pick<ApiClient, "call">;
/** Allowed by the configuration, and not. */
let receiver: HttpServer;
let stranger: HttpServer;
let status = 204;

beforeEach(async () => {
  status = 204;
  receiver = await startHttpServer((_request, response) => void response.writeHead(status).end());
  stranger = await startHttpServer();
  const loaded = loadConfig({ SIGNALBOX_STORE: "sqlite::memory:", SIGNALBOX_LOG: "silent", SIGNALBOX_EGRESS_ALLOW: receiver.entry });
  if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
  app = await createApp({ config: loaded.config });
  api = clientOf(await app.server.listen({ host: "127.0.0.1", port: 0 }));
  const steps = [{ id: "a", type: "transform", config: { set: {} } }];
  await app.workflows.create(LOCAL_PRINCIPAL, WorkflowInput.parse({ id: "w", name: "w", steps }));
});
afterEach(async () => {
  await app.close();
  await receiver[Symbol.asyncDispose]();
  await stranger[Symbol.asyncDispose]();
});

/** Makes the page's endpoint, for a receiver of ours. */
async function createEndpoint(url: string): Promise<{ endpoint: Endpoint; secret: string }> {
  const [, body = ""] = /-d '(.*)'/s.exec(sh ?? "") ?? [];
  const answer = await api.call<{ endpoint: Endpoint; secret: string }>("POST /api/v1/webhook-endpoints", {
    body: { ...(JSON.parse(body) as object), url },
  });
  expect(answer.status).toBe(201);
  return answer.body;
}

async function deliveriesTo({ id }: Endpoint): Promise<{ status: string; attempts: { error: string | null }[] }[]> {
  type Page = { items: { status: string; attempts: { error: string | null }[] }[] };
  return (await api.call<Page>(`GET /api/v1/webhook-deliveries?endpointId=${id}`)).body.items;
}

const start = async () => expect((await api.call("POST /api/v1/workflows/w/execute", { body: {} })).status).toBe(202);

test(
  "the receiver of the page takes what the service sends, and nothing that was changed, is old, or is signed by others",
  LONG,
  async () => {
    type Receiver = { isGenuine(headers: object, body: string, secret: string, now?: number): boolean };
    const { isGenuine } = (await import(/* @vite-ignore */ `data:text/javascript,${encodeURIComponent(js ?? "")}`)) as Receiver; // the page's export
    const { endpoint, secret } = await createEndpoint(`${receiver.url}/hook`);
    await start();
    const completed = () => receiver.requests.find(({ body }) => body.includes('"dev.signalbox.execution.completed"'));
    await expect.poll(completed, PATIENT).toBeDefined();
    const { headers = {}, body = "" } = completed() ?? {};
    const other = `whsec_${Buffer.from("another").toString("base64")}`;
    expect({
      whole: isGenuine(headers, body, secret),
      changed: isGenuine(headers, body.replace("COMPLETED", "CANCELLED"), secret),
      old: isGenuine(headers, body, secret, Date.now() + 301_000),
      others: isGenuine(headers, body, other),
    }).toEqual({ whole: true, changed: false, old: false, others: false });
    expect(headers["content-type"]).toMatch(/^application\/cloudevents\+json/);
    // While secrets are rotated a receiver that knows either takes it.
    await api.call(`POST /api/v1/webhook-endpoints/${endpoint.id}/rotate`, { body: {} });
    await api.call(`POST /api/v1/webhook-endpoints/${endpoint.id}/test`, { body: {} });
    const tried = receiver.requests.find(({ body: text }) => text.includes("dev.signalbox.webhook.test"));
    expect(isGenuine(tried?.headers ?? {}, tried?.body ?? "", secret)).toBe(true);
    await expect.poll(async () => (await deliveriesTo(endpoint)).map((each) => each.status), PATIENT).not.toContain("pending");
    expect(new Set((await deliveriesTo(endpoint)).map((each) => each.status))).toEqual(new Set(["delivered"]));
  },
);

test("an address on this machine that is not allowed is never connected to, and the log says so", LONG, async () => {
  const { endpoint } = await createEndpoint(`${stranger.url}/hook`);
  await start();
  const errors = async () => (await deliveriesTo(endpoint)).flatMap(({ attempts }) => attempts.map(({ error }) => error));
  await expect.poll(async () => (await errors()).length, PATIENT).toBeGreaterThan(0);
  expect((await errors())[0]).toMatch(/^REQUEST_REFUSED/);
  expect(stranger.connections).toBe(0);
});

test("an endpoint the service disables says so and why over the API, until somebody enables it", LONG, async () => {
  status = 410;
  const { endpoint } = await createEndpoint(`${receiver.url}/hook`);
  await start();
  const present = async () => (await api.call<Endpoint>(`GET /api/v1/webhook-endpoints/${endpoint.id}`)).body;
  await expect.poll(present, PATIENT).toMatchObject({ enabled: false, disabledReason: expect.stringContaining("410") });
  expect((await deliveriesTo(endpoint)).map((each) => each.status)).toContain("failed");
  const enabled = await api.call<Endpoint>(`PUT /api/v1/webhook-endpoints/${endpoint.id}`, { body: { enabled: true } });
  expect(enabled).toMatchObject({ status: 200, body: { enabled: true, disabledReason: null } });
});
