import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import type { ExecutionEvent } from "../../../src/definition/event.ts";
import { freePort, type Child } from "../../e2e/support/child.ts";
import { startServiceOn } from "../../e2e/support/service.ts";

const HOOK = pathToFileURL(join(import.meta.dirname, "loaded-packages.mjs")).href;
/** Loaded when they are first needed: a start that loads one of them takes that much longer and holds that much more. */
const LATER = [
  "undici",
  "jose",
  "protobufjs",
  "google-auth-library",
  "@google-cloud/firestore",
  "@google-cloud/pubsub",
  "@opentelemetry/sdk-trace",
  "@langchain/openai",
  "@langchain/mcp-adapters",
  "@modelcontextprotocol/sdk",
  "@scalar/fastify-api-reference",
];
const OF_THE_API = ["graphql", "mercurius", "graphql-ws", "@fastify/websocket"];

let folder = "";
beforeEach(async () => void (folder = await mkdtemp(join(tmpdir(), "signalbox-roles-"))));
afterEach(() => rm(folder, { recursive: true, force: true }));

async function start(role: "api" | "worker"): Promise<Child> {
  const env = { SIGNALBOX_ROLE: role, LOADED_PACKAGES: join(folder, role) };
  return startServiceOn({ port: await freePort(), store: `sqlite:${join(folder, "store.db")}`, env, preload: HOOK });
}

async function call<T>(url: string, body?: unknown): Promise<{ status: number; body: T }> {
  const init = body === undefined ? {} : { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) };
  const response = await fetch(url, init);
  return { status: response.status, body: (await response.json()) as T };
}

async function loadedBy(role: string, thread: "main" | "thread"): Promise<string[]> {
  return JSON.parse(await readFile(join(folder, `${role}.${thread}`), "utf8")) as string[];
}

test("an api process accepts and runs nothing, a worker runs and serves no API; neither loads what it has no use for", async () => {
  await using api = await start("api");
  await api.ready();
  const steps = [{ id: "one", type: "transform", config: { set: { answer: 42 } } }];
  await call(`${api.baseUrl}/api/v1/workflows`, { id: "line", name: "Line", status: "active", steps });
  const accepted = await call<{ id: string }>(`${api.baseUrl}/api/v1/workflows/line/execute`, {});
  expect(accepted.status).toBe(202);
  const url = `${api.baseUrl}/api/v1/executions/${accepted.body.id}`;
  expect((await call(url)).body).toMatchObject({ status: "PENDING" });

  await using worker = await start("worker");
  await worker.ready();
  await expect.poll(async () => (await call(url)).body, { timeout: 20_000 }).toMatchObject({ status: "COMPLETED" });
  const { items } = (await call<{ items: ExecutionEvent[] }>(`${url}/events`)).body;
  const claims = items.filter(({ type }) => type === "execution.claimed").map(({ data }) => String(data["worker"]));
  expect(claims).toHaveLength(1);
  expect(claims[0]).toContain(`-${worker.pid}-`);

  for (const path of [
    "/api/v1/workflows",
    "/graphql",
    "/api/v1/ws",
    "/push/pubsub",
    "/hooks/default/x",
    "/callbacks/x",
    "/docs",
    "/openapi.json",
  ])
    expect((await fetch(`${worker.baseUrl}${path}`)).status, path).toBe(404);
  for (const path of ["/livez", "/readyz", "/healthz", "/metrics"])
    expect((await fetch(`${worker.baseUrl}${path}`)).status, path).toBe(200);

  await Promise.all([worker.stop(), api.stop()]);
  const [byApi, byWorker, byWriter] = await Promise.all([
    loadedBy("api", "main"),
    loadedBy("worker", "main"),
    loadedBy("worker", "thread"),
  ]);
  expect(byApi).toEqual(expect.arrayContaining(["fastify", ...OF_THE_API]));
  expect(byApi.filter((name) => LATER.includes(name))).toEqual([]);
  expect(byWorker).toEqual(expect.arrayContaining(["fastify", "@langchain/langgraph"]));
  expect(byWorker.filter((name) => [...LATER, ...OF_THE_API].includes(name))).toEqual([]);
  expect(byWriter).toEqual([]);
});
