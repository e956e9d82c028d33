import { request } from "node:http";
import { once } from "node:events";
import { WebSocket } from "ws";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startApi, type ApiClient } from "./support.ts";

let api: ApiClient;

beforeAll(async () => void (api = await startApi()));
afterAll(async () => await api[Symbol.asyncDispose]());

/** fetch does not let a caller set Host. */
async function status(method: string, path: string, headers: Record<string, string>): Promise<number> {
  const call = request(api.base + path, { method, headers });
  call.end();
  const [response] = (await once(call, "response")) as [{ statusCode: number; resume(): void }];
  response.resume();
  return response.statusCode;
}

test("without authentication only loopback names are answered, so that a rebound name reaches nothing", async () => {
  for (const host of ["evil.example", "evil.example:8080", "127.0.0.1.evil.example", "169.254.169.254"]) {
    expect(await status("GET", "/api/v1/workflows", { host }), host).toBe(403);
    expect(await status("POST", "/graphql", { host }), host).toBe(403);
  }
  for (const host of ["localhost", "LOCALHOST:9", "127.0.0.1:1", "127.9.9.9", "[::1]:8080"]) {
    expect(await status("GET", "/api/v1/workflows", { host }), host).toBe(200);
  }
});

test("probes are answered whatever name they use", async () => {
  expect(await status("GET", "/livez", { host: "10.0.0.7:8080" })).toBe(200);
});

test("a page of another origin may change nothing", async () => {
  for (const origin of ["https://evil.example", "null", "http://127.0.0.1:1"]) {
    expect(await status("POST", "/api/v1/executions/x/cancel", { origin }), origin).toBe(403);
    expect(await status("DELETE", "/api/v1/workflows/x", { origin }), origin).toBe(403);
  }
  expect(await status("DELETE", "/api/v1/workflows/x", { origin: api.base })).toBe(404);
});

test("a page of another origin may open no WebSocket", async () => {
  for (const path of ["/api/v1/ws", "/graphql"]) {
    const foreign = new WebSocket(api.base.replace("http", "ws") + path, ["graphql-transport-ws", "signalbox.v1"], {
      origin: "https://evil.example",
    });
    const [, response] = (await once(foreign, "unexpected-response")) as [unknown, { statusCode: number }];
    expect(response.statusCode, path).toBe(403);
    foreign.on("error", () => {});
    foreign.terminate();
    const own = new WebSocket(api.base.replace("http", "ws") + path, ["graphql-transport-ws", "signalbox.v1"], { origin: api.base });
    await once(own, "open");
    own.terminate();
  }
});

test("an operation whose scope the principal lacks is FORBIDDEN on every surface", async () => {
  const { callOperation } = await import("../../src/api/call.ts");
  const { OPERATIONS } = await import("../../src/api/operations/index.ts");
  const { executor, workflows, triggers, events, webhooks, store } = api.app;
  const context = {
    services: {
      executor,
      workflows,
      triggers,
      events,
      webhooks,
      store,
      stepTypes: { get: () => undefined, list: () => [] },
      clock: { now: () => 0, after: () => () => {} },
    },
    principal: { id: "nobody", tenant: "default", scopes: new Set<never>() },
    expiresAt: null,
    signal: () => new AbortController().signal,
  };
  for (const operation of OPERATIONS) {
    await expect(callOperation(operation, context, {}), operation.name).rejects.toMatchObject({ code: "FORBIDDEN" });
  }
});
