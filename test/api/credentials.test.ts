import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { once } from "node:events";
import { createClient } from "graphql-ws";
import { expect, test } from "vitest";
import { WebSocket } from "ws";
import { loadConfig } from "../../src/config.ts";
import { OPERATIONS } from "../../src/api/operations/index.ts";
import { SCOPES } from "../../src/definition/access.ts";
import { startIssuer } from "./issuer.ts";
import { startApi, type ApiClient } from "./support.ts";

const sha256 = (key: string) => createHash("sha256").update(key).digest("hex");
const KEYS = [
  { id: "reader", tenant: "acme", scopes: ["workflows:read", "executions:read"], sha256: sha256("reader-key") },
  { id: "owner", tenant: "acme", scopes: "all", sha256: sha256("owner-key") },
  { id: "old", tenant: "acme", scopes: "all", sha256: sha256("old-key"), expiresAt: "2020-01-01T00:00:00Z" },
];
const withKeys = () => startApi({ HOST: "0.0.0.0", SIGNALBOX_AUTH: "api-key", SIGNALBOX_API_KEYS: JSON.stringify(KEYS) });
const bearer = (credential: string) => ({ authorization: `Bearer ${credential}` });

test("every operation refuses callers without credentials, over REST", async () => {
  await using api = await withKeys();
  for (const { route, name } of OPERATIONS) {
    const path = route.replace(/:version/, "1").replace(/:\w+/, "x");
    const { status, code } = await api.refused(path, { body: route.startsWith("GET") ? undefined : {} });
    expect([status, code], name).toEqual([401, "UNAUTHENTICATED"]);
  }
  const { headers } = await api.call("GET /api/v1/me");
  expect(headers.get("www-authenticate")).toMatch(/^Bearer/);
});

test("a key gives its tenant and scopes, in either header", async () => {
  await using api = await withKeys();
  const expected = { id: "key:reader", tenant: "acme", scopes: ["workflows:read", "executions:read"] };
  expect((await api.call("GET /api/v1/me", { headers: bearer("reader-key") })).body).toEqual(expected);
  expect((await api.call("GET /api/v1/me", { headers: { "x-api-key": "reader-key" } })).body).toEqual(expected);
});

test("unknown and expired keys are refused with 401, what the scopes do not hold with 403", async () => {
  await using api = await withKeys();
  expect(await api.refused("GET /api/v1/me", { headers: bearer("guess") })).toMatchObject({ status: 401 });
  expect(await api.refused("GET /api/v1/me", { headers: bearer("old-key") })).toMatchObject({
    status: 401,
    detail: "The key has expired.",
  });
  expect(await api.refused("GET /api/v1/me", { headers: { authorization: "Basic cmVhZGVyOg==" } })).toMatchObject({ status: 401 });
  expect(await api.refused("POST /api/v1/workflows", { headers: bearer("reader-key"), body: {} })).toMatchObject({
    status: 403,
    code: "FORBIDDEN",
  });
});

test("probes and reference pages need no credentials", async () => {
  await using api = await withKeys();
  for (const path of ["/livez", "/readyz", "/healthz", "/openapi.json"]) expect((await api.call(`GET ${path}`)).status, path).toBe(200);
});

test("keys come from a file too, and a wrong list ends the start", async () => {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-keys-"));
  try {
    const file = join(folder, "keys.json");
    await writeFile(file, JSON.stringify(KEYS));
    const environment = { HOST: "0.0.0.0", SIGNALBOX_AUTH: "api-key", SIGNALBOX_API_KEYS_FILE: file };
    await using api = await startApi(environment);
    expect((await api.call("GET /api/v1/me", { headers: bearer("owner-key") })).body).toMatchObject({
      tenant: "acme",
      scopes: [...SCOPES],
    });
    await writeFile(file, JSON.stringify([{ ...KEYS[0], scopes: ["workflows:fly"] }]));
    await expect(startApi(environment)).rejects.toThrow(/workflows:fly/);
    await writeFile(file, "[");
    await expect(startApi(environment)).rejects.toThrow(/does not hold a list of keys/);
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.each([
  ["api-key without keys", { SIGNALBOX_AUTH: "api-key" }, /^SIGNALBOX_API_KEYS/],
  ["jwt without issuers", { SIGNALBOX_AUTH: "jwt" }, /^SIGNALBOX_JWT_ISSUERS/],
  ["a list that is not JSON", { SIGNALBOX_AUTH: "api-key", SIGNALBOX_API_KEYS: "[" }, /SIGNALBOX_API_KEYS: must be JSON/],
  [
    "keys in the clear",
    { SIGNALBOX_AUTH: "api-key", SIGNALBOX_API_KEYS: '[{"id":"a","key":"b","tenant":"t","scopes":"all"}]' },
    /SIGNALBOX_API_KEYS/,
  ],
  ["a tenant that is a path", { SIGNALBOX_AUTH: "api-key", SIGNALBOX_API_KEYS: JSON.stringify([{ ...KEYS[0], tenant: "a/b" }]) }, /tenant/],
  [
    "signing keys over plain HTTP",
    { SIGNALBOX_AUTH: "jwt", SIGNALBOX_JWT_ISSUERS: '[{"issuer":"a","audience":"b","jwksUri":"http://login.example.com/keys"}]' },
    /must be https/,
  ],
  ["no credentials beyond loopback", { HOST: "0.0.0.0" }, /^HOST/],
])("configuration refuses %s", (_what, environment, problem) => {
  const loaded = loadConfig(environment);
  expect("problems" in loaded ? loaded.problems.join("\n") : "").toMatch(problem);
});

test("a token gives tenant and scopes by its claims, and only a good one", async () => {
  await using issuer = await startIssuer();
  await using api = await startApi({ HOST: "0.0.0.0", SIGNALBOX_AUTH: "jwt", SIGNALBOX_JWT_ISSUERS: issuer.setting });
  const claims = { sub: "ada", tenant: "acme", scope: "executions:read workflows:read openid" };
  const me = async (token: string) => await api.call("GET /api/v1/me", { headers: bearer(token) });
  expect((await me(await issuer.token(claims))).body).toEqual({ id: "ada", tenant: "acme", scopes: ["executions:read", "workflows:read"] });

  const none = [
    Buffer.from('{"alg":"none"}'),
    Buffer.from(JSON.stringify({ ...claims, iss: "https://login.test", aud: "signalbox", exp: 9e9 })),
  ];
  const bad = {
    expired: await issuer.token(claims, { expiresInSeconds: -60 }),
    "of another issuer": await issuer.token(claims, { issuer: "https://evil.test" }),
    "for another audience": await issuer.token(claims, { audience: "billing" }),
    "signed with another key": await issuer.token(claims, { foreignKey: true }),
    "without a tenant": await issuer.token({ sub: "ada", scope: "workflows:read" }),
    "with a tenant that is a path": await issuer.token({ ...claims, tenant: "../acme" }),
    "without a subject": await issuer.token({ tenant: "acme", scope: "workflows:read" }),
    unsigned: `${none.map((part) => part.toString("base64url")).join(".")}.`,
    "cut short": (await issuer.token(claims)).slice(0, -8),
  };
  for (const [what, token] of Object.entries(bad)) expect((await me(token)).status, what).toBe(401);
});

test("an issuer whose keys cannot be fetched makes requests wait for it, not fail for good", async () => {
  await using issuer = await startIssuer();
  issuer.hide();
  await using api = await startApi({ HOST: "0.0.0.0", SIGNALBOX_AUTH: "jwt", SIGNALBOX_JWT_ISSUERS: issuer.setting });
  const token = await issuer.token({ sub: "ada", tenant: "acme", scope: "workflows:read" });
  expect(await api.refused("GET /api/v1/me", { headers: bearer(token) })).toMatchObject({
    status: 503,
    code: "UNAVAILABLE",
    retryable: true,
  });
});

test("GraphQL over HTTP takes the same credentials", async () => {
  await using api = await withKeys();
  const query = { query: "{ me { id tenant } }" };
  expect((await api.call("POST /graphql", { body: query, headers: bearer("owner-key") })).body).toEqual({
    data: { me: { id: "key:owner", tenant: "acme" } },
  });
  const refused = await api.call("POST /graphql", { body: query });
  expect(refused.status).toBe(401);
  expect(refused.body).toMatchObject({ errors: [{ extensions: { code: "UNAUTHENTICATED" } }] });
});

test("a GraphQL socket takes its credential in connection_init or in the handshake, and closes with 4403 without one", async () => {
  await using api = await withKeys();
  const url = `${api.base.replace("http", "ws")}/graphql`;
  const ask = async (connectionParams: Record<string, unknown> | undefined, headers: Record<string, string> = {}) => {
    class Socket extends WebSocket {
      constructor(address: string, protocols: string) {
        super(address, protocols, { headers });
      }
    }
    const client = createClient({ url, webSocketImpl: Socket, retryAttempts: 0, ...(connectionParams && { connectionParams }) });
    try {
      for await (const result of client.iterate({ query: "{ me { id } }" })) return result.data;
    } catch (error) {
      return error instanceof CloseEvent || "code" in (error as object) ? (error as { code: number }).code : error;
    } finally {
      await client.dispose();
    }
    return undefined;
  };
  expect(await ask({ authorization: "Bearer owner-key" })).toEqual({ me: { id: "key:owner" } });
  expect(await ask(undefined, bearer("owner-key"))).toEqual({ me: { id: "key:owner" } });
  expect(await ask({ authorization: "Bearer guess" })).toBe(4403);
  expect(await ask(undefined)).toBe(4403);
});

test("a native socket is refused before the upgrade, and takes a token as a sub-protocol where headers cannot be set", async () => {
  await using api = await withKeys();
  const url = `${api.base.replace("http", "ws")}/api/v1/ws`;
  expect(await upgradeStatus(new WebSocket(url, ["signalbox.v1"]))).toBe(401);
  expect(await upgradeStatus(new WebSocket(url, ["signalbox.v1", "bearer.guess"]))).toBe(401);
  const socket = new WebSocket(url, ["signalbox.v1", "bearer.owner-key"]);
  await once(socket, "open");
  expect(socket.protocol).toBe("signalbox.v1");
  socket.terminate();
});

test("sockets and event streams end when the token does, with a code that asks to come back", async () => {
  await using issuer = await startIssuer();
  await using api = await startApi({ HOST: "0.0.0.0", SIGNALBOX_AUTH: "jwt", SIGNALBOX_JWT_ISSUERS: issuer.setting });
  // The tolerance of 30 s for clocks that differ counts here too.
  const token = await issuer.token({ sub: "ada", tenant: "acme", scope: SCOPES.join(" ") }, { expiresInSeconds: -28 });
  const executionId = await parkedExecution(api, token);
  const url = api.base.replace("http", "ws");
  const native = new WebSocket(`${url}/api/v1/ws`, ["signalbox.v1"], { headers: bearer(token) });
  const graphql = new WebSocket(`${url}/graphql`, ["graphql-transport-ws"]);
  graphql.once("open", () => graphql.send(JSON.stringify({ type: "connection_init", payload: { authorization: `Bearer ${token}` } })));
  const stream = await fetch(`${api.base}/api/v1/executions/${executionId}/events`, {
    headers: { ...bearer(token), accept: "text/event-stream" },
  });
  const [closedNative, closedGraphql, text] = await Promise.all([once(native, "close"), once(graphql, "close"), stream.text()]);
  expect([closedNative[0], closedGraphql[0]]).toEqual([4403, 4403]);
  expect(text).toContain("event: execution.parked");
  expect(text).not.toContain("event: end");
});

async function parkedExecution(api: ApiClient, token: string): Promise<string> {
  const { ASK } = await import("./definitions.ts");
  await api.call("POST /api/v1/workflows", { body: { ...ASK, status: "active" }, headers: bearer(token) });
  const { body } = await api.call<{ id: string }>("POST /api/v1/workflows/ask/execute?wait=5s", {
    body: { input: { amount: 1 } },
    headers: bearer(token),
  });
  return body.id;
}

async function upgradeStatus(socket: WebSocket): Promise<number | undefined> {
  const [, response] = (await once(socket, "unexpected-response")) as [unknown, { statusCode?: number }];
  socket.on("error", () => {});
  socket.terminate();
  return response.statusCode;
}
