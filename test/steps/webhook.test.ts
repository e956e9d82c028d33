import { expect, test } from "vitest";
import type { JsonObject } from "../../src/definition/json.ts";
import type { StepInput } from "../../src/definition/step.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import { startHttpServer, type Answer } from "../support/http-server.ts";

const ann = { id: "ann", tenant: "default" };
const SECRETS: Record<string, string> = { "env:SIGNALBOX_SECRET_API": "token-4711" };
const outbound = { allow: ["127.0.0.1"], readSecret: (reference: string) => Promise.resolve(SECRETS[reference]) };

const calling = (config: JsonObject, more: Partial<StepInput> = {}) => ({
  id: "call",
  name: "Call",
  steps: [
    { id: "call", type: "webhook", config: { url: "${ input.url }", ...config }, nextSteps: ["end"], ...more },
    { id: "end", type: "end" },
    { id: "late", type: "end" },
  ].filter(({ id }) => id !== "late" || JSON.stringify(more).includes("late")),
  output: { call: "${ steps.call.output }" },
});

async function run(engine: Engine, answer: Answer, config: JsonObject, more: { step?: Partial<StepInput>; input?: JsonObject } = {}) {
  await using server = await startHttpServer(answer);
  const workflowId = await engine.define({ ...calling(config, more.step), id: `w${server.port}` });
  const execution = await engine.run(workflowId, { url: `${server.url}/path`, ...more.input });
  return { execution, requests: server.requests };
}

test("the answer is the output, read as its type says", async () => {
  await using engine = await createEngine({ outbound });
  const { execution, requests } = await run(
    engine,
    (_request, response) => void response.writeHead(201, { "content-type": "application/json" }).end('{"id":7}'),
    {
      method: "POST",
      query: { page: 2, all: true },
      headers: { "X-Count": "${ input.count }" },
      body: { name: "${ input.name }", list: ["${ input.count }"] },
    },
    { input: { name: "Ann", count: 3 } },
  );
  expect(execution.output).toMatchObject({ call: { status: 201, body: { id: 7 }, bodyType: "json", redirects: 0 } });
  expect(requests).toMatchObject([
    { method: "POST", path: "/path?page=2&all=true", headers: { "x-count": "3" }, body: '{"name":"Ann","list":[3]}' },
  ]);
});

test("an object is sent as a form where the content type says so, a text as it is", async () => {
  await using engine = await createEngine({ outbound });
  const end: Answer = (_request, response) => void response.end();
  const form = { method: "POST", headers: { "content-type": "application/x-www-form-urlencoded" }, body: { amount: 12, note: "a b&c" } };
  expect((await run(engine, end, form)).requests[0]?.body).toBe("amount=12&note=a+b%26c");
  const text = { method: "POST", headers: { "content-type": "application/xml" }, body: "<a/>" };
  expect((await run(engine, end, text)).requests[0]).toMatchObject({ body: "<a/>", headers: { "content-type": "application/xml" } });
});

test("every attempt carries the same idempotency key and its own number", async () => {
  await using engine = await createEngine({ outbound });
  let asked = 0;
  const { execution, requests } = await run(
    engine,
    (_request, response) => void response.writeHead(++asked < 3 ? 503 : 200).end(),
    {},
    {
      step: { retry: { maxAttempts: 3, delay: "1ms", multiplier: 1, maxDelay: "1ms", jitter: false } },
    },
  );
  expect(execution.status).toBe("COMPLETED");
  expect(requests.map(({ headers }) => [headers["idempotency-key"], headers["signalbox-attempt"]])).toEqual(
    ["1", "2", "3"].map((attempt) => [`${execution.id}/call/1`, attempt]),
  );
});

test.each([
  [404, "REQUEST_REFUSED", 1],
  [302, "REQUEST_REFUSED", 1],
  [503, "STEP_FAILED", 2],
  [429, "STEP_FAILED", 2],
])("status %i is %s after %i attempts, and routes and policies see its code", async (status, code, attempts) => {
  await using engine = await createEngine({ outbound });
  const retry = { maxAttempts: 2, delay: "1ms", multiplier: 1, maxDelay: "1ms", jitter: false };
  const { execution, requests } = await run(engine, (_request, response) => void response.writeHead(status).end(), {}, { step: { retry } });
  expect(execution.error).toMatchObject({ code, stepId: "call", message: `The receiver answered with status ${status}.` });
  expect(requests).toHaveLength(attempts);
  const failed = (await engine.events(execution.id)).find(({ type }) => type === "step.failed");
  expect(failed?.data["details"]).toMatchObject({ code: `HTTP_${status}`, status });
});

test("a policy can name the status it retries on", async () => {
  await using engine = await createEngine({ outbound });
  const retry = { maxAttempts: 2, delay: "1ms", multiplier: 1, maxDelay: "1ms", jitter: false, retryOn: ["HTTP_404"] };
  const { requests } = await run(engine, (_request, response) => void response.writeHead(404).end(), {}, { step: { retry } });
  expect(requests).toHaveLength(2);
});

test("a receiver that says when to come back is not asked before", async () => {
  await using engine = await createEngine({ outbound });
  const retry = { maxAttempts: 2, delay: "1ms", multiplier: 1, maxDelay: "1ms", jitter: false };
  const { execution } = await run(
    engine,
    (_request, response) => void response.writeHead(429, { "retry-after": "3600" }).end(),
    {},
    { step: { retry } },
  );
  // Longer than a worker sleeps, so it is parked.
  expect(execution).toMatchObject({ isParked: true, waits: [{ kind: "timer" }] });
  expect((await engine.events(execution.id)).find(({ type }) => type === "step.attempt_failed")?.data).toMatchObject({
    backoffMs: 3_600_000,
  });
});

test("statuses that are expected are a success, and no other is", async () => {
  await using engine = await createEngine({ outbound });
  const missing: Answer = (_request, response) => void response.writeHead(404).end();
  expect((await run(engine, missing, { expectStatus: [404] })).execution).toMatchObject({
    status: "COMPLETED",
    output: { call: { status: 404 } },
  });
  const { execution } = await run(engine, (_request, response) => void response.end(), { expectStatus: [404] });
  expect(execution.error).toMatchObject({ code: "REQUEST_REFUSED" });
});

test("an answer that takes too long leaves by `on: timeout`", async () => {
  await using engine = await createEngine({ outbound });
  const { execution } = await run(engine, () => {}, { timeout: "100ms" }, { step: { nextSteps: ["end", { to: "late", on: "timeout" }] } });
  expect(execution.status).toBe("COMPLETED");
  expect((await engine.executor.steps("default", execution.id)).at(-1)?.stepId).toBe("late");
});

test("an address inside is refused, whatever the retry says", async () => {
  await using engine = await createEngine();
  await using server = await startHttpServer();
  await engine.define(calling({}, { retry: { maxAttempts: 5, delay: "1ms", multiplier: 1, maxDelay: "1ms", jitter: false } }));
  const { error } = await engine.run("call", { url: server.url });
  expect(error).toMatchObject({ code: "REQUEST_REFUSED", retryable: false });
  expect(server.connections).toBe(0);
});

test("a call with effect once that nobody answered asks a person; one that nobody saw does not", async () => {
  await using engine = await createEngine({ outbound });
  const reset: Answer = (_request, response) => void response.socket?.resetAndDestroy();
  const { execution } = await run(engine, reset, { method: "POST" }, { step: { effect: "once" } });
  expect(execution).toMatchObject({ isParked: true, waits: [{ kind: "effect" }] });
  const closed = await startHttpServer();
  await closed[Symbol.asyncDispose]();
  await engine.define({ ...calling({ method: "POST" }, { effect: "once" }), id: "unseen" });
  expect((await engine.run("unseen", { url: closed.url })).error).toMatchObject({ code: "STEP_FAILED" });
});

test("a secret reaches the receiver and nobody else", async () => {
  await using engine = await createEngine({ outbound });
  const echo: Answer = ({ headers, body }, response) =>
    void response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify({ ...headers, body }));
  const { execution, requests } = await run(
    engine,
    echo,
    {
      method: "POST",
      headers: { Authorization: "Bearer secret://env/SIGNALBOX_SECRET_API" },
      body: { key: "secret://env/SIGNALBOX_SECRET_API", from: "${ input.text }" },
    },
    { input: { text: "secret://env/SIGNALBOX_SECRET_API" } },
  );
  expect(requests[0]?.headers.authorization).toBe("Bearer token-4711");
  // What came in with data stays text: nobody can ask for a secret from outside.
  expect(JSON.parse(requests[0]?.body ?? "")).toEqual({ key: "token-4711", from: "secret://env/SIGNALBOX_SECRET_API" });
  expect(execution.status).toBe("COMPLETED");
  const stored = JSON.stringify([
    await engine.events(execution.id),
    await engine.executor.get("default", execution.id),
    await engine.executor.stateAt("default", execution.id, 99),
  ]);
  expect(stored).toContain("Bearer [secret]");
  expect(stored).not.toContain("4711");
});

test.each<[string, JsonObject, string]>([
  ["an address that is none", { url: "example.com/x" }, "/config/url"],
  ["another scheme", { url: "ftp://example.com" }, "/config/url"],
  ["a password in the address", { url: "https://a:b@example.com" }, "/config/url"],
  ["a secret beside a value", { headers: { a: "secret://env/SIGNALBOX_SECRET_A ${ input.x }" } }, "/config/headers/a"],
  ["a variable that is no secret", { headers: { a: "secret://env/OPENAI_API_KEY" } }, "/config/headers/a"],
  ["a file elsewhere", { body: { a: ["secret://file/../x"] } }, "/config/body/a/0"],
  ["a secret where none can be", { method: "secret://file/x" }, "/config/method"],
])("%s is found when the workflow is saved", async (_name, config, pointer) => {
  await using engine = await createEngine();
  expect(engine.workflows.validate(calling(config)).issues).toMatchObject([{ code: "INVALID_CONFIG", pointer: `/steps/0${pointer}` }]);
});

test("cancelling the execution ends the call", async () => {
  await using engine = await createEngine({ outbound });
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  await using server = await startHttpServer((_request, response) => void response.on("close", () => resolve()));
  await engine.define(calling({}));
  const { id } = await engine.start("call", { url: server.url });
  await expect.poll(() => server.requests.length).toBe(1);
  await engine.executor.cancel(ann, id);
  await closed;
  expect((await engine.executor.get("default", id)).status).toBe("CANCELLED");
});
