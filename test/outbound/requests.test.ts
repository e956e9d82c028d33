import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, describe, expect, test } from "vitest";
import { secretText } from "../../src/outbound/http.ts";
import { createOutbound } from "../../src/outbound/outbound.ts";
import { startHttpServer, type Answer } from "../support/http-server.ts";
import { failureOf } from "../support/model-request.ts";

const SECRETS: Record<string, string> = { "env:SIGNALBOX_SECRET_API": 'tok"en-4711', "file:hook": "hook/4712?x" };
const readSecret = (reference: string) => Promise.resolve(SECRETS[reference]);
const open = { allow: ["127.0.0.0/8"], readSecret };

const outbound = createOutbound(open);
afterAll(() => outbound[Symbol.asyncDispose]());

async function ask(answer: Answer, more: object = {}) {
  await using server = await startHttpServer(answer);
  const reply = await outbound.request({ url: server.url, ...more });
  return { reply, requests: server.requests };
}

async function failing(answer: Answer, more: object = {}) {
  await using server = await startHttpServer(answer);
  return await failureOf(outbound.request({ url: server.url, ...more }));
}

describe("a reply", () => {
  test.each<[string, string, string | Buffer, object]>([
    ["JSON", "application/json", '{"a":[1]}', { body: { a: [1] }, bodyType: "json" }],
    ["JSON of a kind", "application/problem+json; charset=utf-8", '{"a":1}', { body: { a: 1 }, bodyType: "json" }],
    ["JSON that is none", "application/json", "<html>", { body: "<html>", bodyType: "text" }],
    ["JSON too deep to walk", "application/json", "[".repeat(500) + "]".repeat(500), { bodyType: "text" }],
    [
      "text in another charset",
      "text/plain; charset=iso-8859-1",
      Buffer.from([0x63, 0x61, 0x66, 0xe9]),
      { body: "café", bodyType: "text" },
    ],
    ["bytes", "image/png", Buffer.from([0, 255, 1]), { body: "AP8B", bodyType: "base64" }],
    ["nothing", "application/json", "", { body: null, bodyType: "none" }],
  ])("of %s is read as that", async (_name, type, body, expected) => {
    const { reply } = await ask((_request, response) => void response.writeHead(200, { "content-type": type }).end(body));
    expect(reply).toMatchObject({ status: 200, ...expected });
  });

  test("of any status is a reply; cookies are left out", async () => {
    const { reply } = await ask(
      (_request, response) => void response.writeHead(418, { "set-cookie": "session=1", "x-kind": ["a", "b"] }).end(),
    );
    expect(reply).toMatchObject({ status: 418, headers: { "x-kind": "a, b" }, redirects: 0 });
    expect(reply.headers).not.toHaveProperty("set-cookie");
  });
});

describe("a request", () => {
  test("carries method, query, headers and body, and none that ask a metadata server or belong to the connection", async () => {
    const headers = {
      "X-Own": "1",
      "Metadata-Flavor": "Google",
      "X-Goog-Metadata-Request": "1",
      Host: "evil",
      Connection: "upgrade",
      "Transfer-Encoding": "chunked",
    };
    const { requests } = await ask((_request, response) => void response.end(), {
      method: "post",
      query: { q: "a b&c" },
      headers,
      body: { json: { a: 1 } },
    });
    expect(requests).toMatchObject([
      {
        method: "POST",
        path: "/?q=a+b%26c",
        body: '{"a":1}',
        headers: { "x-own": "1", "content-type": "application/json", "user-agent": "signalbox" },
      },
    ]);
    expect(requests[0]?.headers).not.toHaveProperty("metadata-flavor");
    expect(requests[0]?.headers).not.toHaveProperty("x-goog-metadata-request");
    expect(requests[0]?.headers.host).toMatch(/^127\.0\.0\.1:/);
  });

  test("with a line break in a header is not sent", async () => {
    const error = await failing((_request, response) => void response.end(), { headers: { "x-a": "1\r\nx-b: 2" } });
    expect(error).toMatchObject({ code: "INVALID_INPUT", details: { happened: false } });
  });

  test.each([
    ["an endless body", true],
    ["a body that says it is short", false],
  ])("ends %s at its limit", async (_name, isEndless) => {
    let sent = 0;
    const error = await failing(
      (_request, response) => {
        if (!isEndless) response.writeHead(200, { "transfer-encoding": "chunked" });
        const more = () => {
          while (!response.destroyed && response.write("x".repeat(65_536))) sent += 65_536;
          if (!response.destroyed) response.once("drain", more);
        };
        more();
      },
      { maxBytes: 100_000 },
    );
    expect(error).toMatchObject({ code: "TOO_LARGE", details: { limit: 100_000 } });
    expect(sent).toBeLessThan(50_000_000);
  });

  test.each<[string, Answer]>([
    ["never answers", () => {}],
    [
      "answers a byte at a time",
      (_request, response) => {
        const timer = setInterval(() => void response.write("x"), 20);
        response.on("close", () => clearInterval(timer));
      },
    ],
    ["redirects slowly for ever", (_request, response) => void setTimeout(() => response.writeHead(302, { location: "/" }).end(), 60)],
  ])("to somebody who %s ends in time", async (_name, answer) => {
    const began = performance.now();
    const error = await failing(answer, { timeoutMs: 200, maxRedirects: 100 });
    expect(error).toMatchObject({ code: "STEP_TIMEOUT", details: { code: "TIMEOUT" } });
    expect(performance.now() - began).toBeLessThan(1_500);
  });

  test("to a resolver that never answers ends in time", async () => {
    await using stuck = createOutbound({ resolve: () => new Promise(() => {}) });
    expect(await failureOf(stuck.request({ url: "http://slow.example/", timeoutMs: 100 }))).toMatchObject({ code: "STEP_TIMEOUT" });
  });

  test("that was not seen by anybody says so; one that may have been does not", async () => {
    await using resets = await startHttpServer((_request, response) => void response.socket?.resetAndDestroy());
    expect(await failureOf(outbound.request({ url: resets.url }))).toMatchObject({
      code: "STEP_FAILED",
      retryable: true,
      details: { code: "CONNECTION" },
    });
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as AddressInfo;
    await new Promise((resolve) => closed.close(resolve));
    expect(await failureOf(outbound.request({ url: `http://127.0.0.1:${port}` }))).toMatchObject({
      code: "STEP_FAILED",
      details: { code: "UNREACHABLE", happened: false },
    });
    await using nowhere = createOutbound({ resolve: () => Promise.reject(Object.assign(new Error("x"), { code: "ENOTFOUND" })) });
    expect(await failureOf(nowhere.request({ url: "http://none.example/" }))).toMatchObject({
      code: "STEP_FAILED",
      details: { code: "DNS", happened: false },
    });
  });

  test("ends with its signal", async () => {
    await using server = await startHttpServer(() => {});
    const controller = new AbortController();
    const asked = outbound.request({ url: server.url, signal: controller.signal });
    await expect.poll(() => server.requests.length).toBe(1);
    controller.abort(new Error("cancelled"));
    await expect(asked).rejects.toThrow("cancelled");
  });
});

describe("redirects", () => {
  test("are not followed unless asked for", async () => {
    const { reply, requests } = await ask((_request, response) => void response.writeHead(302, { location: "/next" }).end());
    expect(reply.status).toBe(302);
    expect(requests).toHaveLength(1);
  });

  test.each([
    [301, "GET", ""],
    [302, "GET", ""],
    [303, "GET", ""],
    [307, "POST", "{}"],
    [308, "POST", "{}"],
  ])("%i makes a POST a %s", async (status, method, body) => {
    const { reply, requests } = await ask(
      ({ path }, response) => void (path === "/" ? response.writeHead(status, { location: "/next" }).end() : response.end("there")),
      { method: "POST", body: { json: {} }, maxRedirects: 1 },
    );
    expect(reply).toMatchObject({ status: 200, redirects: 1 });
    expect(requests[1]).toMatchObject({ method, body, path: "/next" });
  });

  test("to another origin take no personal header along, and no secret", async () => {
    await using other = await startHttpServer();
    const answer: Answer = (_request, response) => void response.writeHead(307, { location: other.url }).end();
    const headers = { authorization: "Bearer x", cookie: "a=b", "x-api-key": "k", "idempotency-key": "i", "x-own": "1" };
    await ask(answer, { headers, maxRedirects: 1 });
    expect(other.requests[0]?.headers).toMatchObject({ "x-own": "1" });
    for (const name of ["authorization", "cookie", "x-api-key", "idempotency-key"])
      expect(other.requests[0]?.headers).not.toHaveProperty(name);
    await ask(answer, { headers: { "x-own": secretText("secret://env/SIGNALBOX_SECRET_API") }, maxRedirects: 1 });
    expect(other.requests[1]?.headers).not.toHaveProperty("x-own");
    const body = { json: { key: secretText("secret://env/SIGNALBOX_SECRET_API") } };
    expect(await failing(answer, { method: "POST", body, maxRedirects: 1 })).toMatchObject({
      code: "REQUEST_REFUSED",
      details: { code: "REFUSED_REDIRECT" },
    });
    expect(other.requests).toHaveLength(2);
  });
});

describe("secrets", () => {
  test("are put in where they are marked, and taken out of whatever comes back", async () => {
    const echo: Answer = ({ headers, path, body }, response) => {
      const token = String(headers.authorization);
      const seen = { token, path, body, again: Buffer.from(SECRETS["env:SIGNALBOX_SECRET_API"] ?? "").toString("base64") };
      response.writeHead(200, { "content-type": "application/json", "x-echo": encodeURIComponent(token) }).end(JSON.stringify(seen));
    };
    const { reply, requests } = await ask(echo, {
      method: "POST",
      headers: { authorization: secretText("Bearer secret://env/SIGNALBOX_SECRET_API") },
      query: { hook: secretText("secret://file/hook") },
      body: { json: { list: [secretText("a secret://env/SIGNALBOX_SECRET_API b")], plain: "secret://env/SIGNALBOX_SECRET_API" } },
    });
    expect(requests[0]).toMatchObject({ headers: { authorization: 'Bearer tok"en-4711' }, path: "/?hook=hook%2F4712%3Fx" });
    expect(JSON.parse(requests[0]?.body ?? "")).toEqual({ list: ['a tok"en-4711 b'], plain: "secret://env/SIGNALBOX_SECRET_API" });
    const shown = JSON.stringify(reply);
    for (const part of ["4711", "4712", "dG9r"]) expect(shown).not.toContain(part);
    expect(reply.body).toMatchObject({ token: "Bearer [secret]", again: "[secret]" });
  });

  test("that cannot be read refuse the request, by name and before anything is sent", async () => {
    await using server = await startHttpServer();
    const error = await failureOf(outbound.request({ url: server.url, headers: { a: secretText("secret://env/OPENAI_API_KEY") } }));
    expect(error).toMatchObject({ code: "REQUEST_REFUSED", details: { code: "SECRET", reference: "secret://env/OPENAI_API_KEY" } });
    expect(server.connections).toBe(0);
  });

  test("may be the whole address, which no failure then tells", async () => {
    await using secret = createOutbound({ readSecret: () => Promise.resolve("http://10.9.8.7/hidden") });
    const error = await failureOf(secret.request({ url: secretText("secret://env/SIGNALBOX_SECRET_URL") }));
    expect(error.code).toBe("REQUEST_REFUSED");
    expect(JSON.stringify([error.message, error.details])).not.toMatch(/10\.9|hidden/);
  });
});
