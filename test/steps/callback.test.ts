import { expect, test } from "vitest";
import type { JsonObject } from "../../src/definition/json.ts";
import { createEngine, type Engine } from "../support/engine.ts";
import { startHttpServer, type Answer } from "../support/http-server.ts";
import { manualClock } from "../support/manual-clock.ts";

const tenant = "default";
const outbound = { allow: ["127.0.0.1"] };
const workflow = (config: JsonObject = {}, more: object = {}) => ({
  id: "call",
  name: "Call",
  steps: [
    {
      id: "call",
      type: "webhook",
      config: { url: "${ input.url }", method: "POST", body: { answerTo: "callback://url" }, callback: { timeout: "1h" }, ...config },
      nextSteps: [{ to: "end" }, { to: "late", on: "timeout" as const }],
      ...more,
    },
    { id: "end", type: "end" },
    { id: "late", type: "end" },
  ],
  output: { call: "${ steps.call.output }" },
});

/** The receiver's part of what it was sent. */
const tokenOf = (url: string | undefined) => url?.split("/callbacks/")[1] ?? "";
const echo: Answer = ({ body }, response) => void response.writeHead(200, { "content-type": "application/json" }).end(body);

async function parked(engine: Engine, id: string) {
  await expect.poll(async () => (await engine.executor.get(tenant, id)).isParked).toBe(true);
  return await engine.executor.get(tenant, id);
}

async function completed(engine: Engine, id: string) {
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).toBe("COMPLETED");
  return await engine.executor.get(tenant, id);
}

test("the step waits for the call of its receiver, takes it once, and its address is nowhere on record", async () => {
  await using engine = await createEngine({ outbound });
  await using server = await startHttpServer(echo);
  await engine.define(workflow());
  const { id } = await engine.start("call", { url: server.url });
  expect((await parked(engine, id)).waits).toMatchObject([{ kind: "callback", stepId: "call" }]);
  const url = String(server.requests[0]?.headers["signalbox-callback-url"]);
  expect(url).toMatch(/^http:\/\/signalbox\.test\/callbacks\/default\.[\w-]{43}$/);
  expect(JSON.parse(server.requests[0]?.body ?? "")).toEqual({ answerTo: url });
  const token = tokenOf(url);
  await expect(engine.executor.callback(`${token.slice(0, -1)}_`, {})).rejects.toMatchObject({ code: "NOT_FOUND" });
  await expect(engine.executor.callback("nothing", {})).rejects.toMatchObject({ code: "NOT_FOUND" });
  const calls = await Promise.allSettled([1, 2, 3, 4, 5].map((n) => engine.executor.callback(token, { n })));
  expect(calls.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
  for (const call of calls) if (call.status === "rejected") expect(call.reason).toMatchObject({ code: "CALLBACK_OVER" });
  const taken = calls.findIndex(({ status }) => status === "fulfilled") + 1;
  const done = await completed(engine, id);
  expect(done).toMatchObject({
    status: "COMPLETED",
    output: { call: { status: 200, body: { answerTo: "[secret]" }, callback: { n: taken } } },
  });
  // A receiver that lost the answer may say the same again.
  expect(await engine.executor.callback(token, { n: taken })).toEqual({ executionId: id, isRepeat: true });
  await expect(engine.executor.callback(token, { n: 9 })).rejects.toMatchObject({ code: "CALLBACK_OVER" });
  const waits = await engine.store.waits.list(tenant, { executionId: id, pageSize: 10 });
  const everything = JSON.stringify([await engine.events(id), done, waits.items, await engine.executor.stateAt(tenant, id, 99)]);
  expect(everything).not.toContain(token.split(".")[1]);
});

test("a call that comes before the step has parked is not lost", async () => {
  await using engine = await createEngine({ outbound });
  const early: Answer = async ({ headers }, response) => {
    await engine.executor.callback(tokenOf(String(headers["signalbox-callback-url"])), { early: true });
    response.writeHead(202).end();
  };
  await using server = await startHttpServer((request, response) => void early(request, response));
  await engine.define(workflow());
  const { id } = await engine.start("call", { url: server.url });
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).toBe("COMPLETED");
  expect((await engine.executor.get(tenant, id)).output).toMatchObject({ call: { status: 202, callback: { early: true } } });
});

test("every attempt has its own address, and the first one counts as well", async () => {
  await using engine = await createEngine({ outbound });
  let calls = 0;
  await using server = await startHttpServer((_request, response) => void response.writeHead(++calls < 2 ? 503 : 200).end());
  await engine.define(workflow({}, { retry: { maxAttempts: 2, delay: "1ms" } }));
  const { id } = await engine.start("call", { url: server.url });
  await parked(engine, id);
  const [first, second] = server.requests.map(({ headers }) => tokenOf(String(headers["signalbox-callback-url"])));
  expect(first).not.toBe(second);
  await engine.executor.callback(first ?? "", "done");
  expect((await completed(engine, id)).output).toMatchObject({ call: { callback: "done" } });
  await expect(engine.executor.callback(second ?? "", "again")).rejects.toMatchObject({ code: "CALLBACK_OVER" });
});

test("out of time it leaves by `on: timeout`, and the late call is told so; so is one for a cancelled execution", async () => {
  const clock = manualClock();
  await using engine = await createEngine({ outbound, clock });
  await using server = await startHttpServer(echo);
  await engine.define(workflow());
  const { id } = await engine.start("call", { url: server.url });
  await parked(engine, id);
  clock.advance(3_600_000);
  await expect.poll(async () => (await engine.executor.get(tenant, id)).status).toBe("COMPLETED");
  expect((await engine.executor.steps(tenant, id)).at(-1)?.stepId).toBe("late");
  const token = tokenOf(String(server.requests[0]?.headers["signalbox-callback-url"]));
  await expect(engine.executor.callback(token, {})).rejects.toMatchObject({ code: "CALLBACK_OVER", details: { status: "expired" } });
  const other = await engine.start("call", { url: server.url });
  await parked(engine, other.id);
  await engine.executor.cancel({ id: "ann", tenant }, other.id);
  const cancelled = tokenOf(String(server.requests[1]?.headers["signalbox-callback-url"]));
  await expect(engine.executor.callback(cancelled, {})).rejects.toMatchObject({ code: "CALLBACK_OVER", details: { status: "cancelled" } });
});
