import { expect, test } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { parseTraceparent } from "../../src/definition/trace-context.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { observedStore } from "../../src/telemetry/observed-store.ts";
import { commitSpans } from "../../src/telemetry/spans.ts";
import { traceparentOf } from "../../src/telemetry/trace-ids.ts";
import { startTracing } from "../../src/telemetry/tracing.ts";
import { createEngine } from "../support/engine.ts";
import { startHttpServer } from "../support/http-server.ts";
import { startOpenAIServer } from "../support/openai-server.ts";

const CALLER = `00-${"ab".repeat(16)}-${"cd".repeat(8)}-01`;
const visitOf = (executionId: string, stepId: string, visit = 1) => traceparentOf(executionId, { stepId, branch: null, visit }, () => true);

test("what a step sends carries the trace of its visit, the same on every attempt", async () => {
  await using server = await startHttpServer(({ method }, response) => void response.writeHead(method === "PUT" ? 503 : 200).end());
  await using engine = await createEngine({ outbound: { allow: [server.entry] } });
  const retry = { maxAttempts: 2, delay: "1ms", jitter: false };
  await engine.define({
    id: "call",
    name: "Call",
    steps: [
      { id: "first", type: "webhook", config: { url: server.url }, nextSteps: ["again"] },
      { id: "again", type: "webhook", config: { url: server.url, method: "PUT" }, retry, nextSteps: [{ to: "own", on: "error" }] },
      { id: "own", type: "webhook", config: { url: server.url, headers: { Traceparent: CALLER } } },
    ],
  });
  const { id, status } = await engine.run("call");
  expect(status).toBe("COMPLETED");
  const sent = server.requests.map(({ headers }) => headers["traceparent"]);
  expect(sent).toEqual([visitOf(id, "first"), visitOf(id, "again"), visitOf(id, "again"), CALLER]);
});

test.each([true, false])("a model behind HTTP is called with the trace of the visit, streamed: %s", async (stream) => {
  await using server = await startOpenAIServer("Blue.");
  await using engine = await createEngine({ models: { openai: { baseUrl: server.baseUrl } } });
  await engine.define({
    id: "ask",
    name: "Ask",
    steps: [{ id: "ask", type: "prompt", config: { model: "openai:gpt-4o-mini", prompt: "Which colour?", stream } }],
  });
  const { id } = await engine.run("ask");
  expect(server.requests.map(({ headers, body }) => [headers["traceparent"], body.stream === true])).toEqual([
    [visitOf(id, "ask"), stream],
  ]);
});

test("an execution's span is linked to the request, the event and the execution that led to it", async () => {
  const spans: { name: string; links: string[] }[] = [];
  const { tracer, close } = await startTracing({
    serviceName: "signalbox",
    instance: "pod-1",
    ratio: 1,
    openExporter: () =>
      Promise.resolve({
        export(batch, done) {
          spans.push(
            ...batch.map(({ name, links }) => ({ name, links: links.map(({ context }) => `${context.traceId}-${context.spanId}`) })),
          );
          done({ code: 0 });
        },
        shutdown: () => Promise.resolve(),
      }),
  });
  const opened = await openStore("sqlite::memory:", { ownerId: "worker-1", clock: systemClock });
  await using engine = await createEngine({ store: observedStore(opened, { observers: [commitSpans(tracer)], clock: systemClock }) });
  await engine.define({ id: "line", name: "Line", steps: [{ id: "one", type: "transform", config: { set: {} } }] });
  const event = { type: "shop.paid", extensions: { traceparent: CALLER.replaceAll("ab", "ef") } };
  await engine.run("line", {}, { traceparent: CALLER, trigger: { type: "event", id: "t", summary: "paid", event } });
  await engine.run("line", {}, { traceparent: "00-nonsense" });
  await engine.worker.idle();
  await close();
  const [linked, alone] = spans.filter(({ name }) => name === "execution line");
  expect(linked?.links).toEqual([`${"ab".repeat(16)}-${"cd".repeat(8)}`, `${"ef".repeat(16)}-${"cd".repeat(8)}`]);
  expect(alone?.links).toEqual([]);
});

test.each([
  ["", undefined],
  ["00-0000", undefined],
  [`00-${"0".repeat(32)}-${"cd".repeat(8)}-01`, undefined],
  [`00-${"ab".repeat(16)}-${"0".repeat(16)}-01`, undefined],
  [`ff-${"ab".repeat(16)}-${"cd".repeat(8)}-01`, undefined],
  [CALLER.toUpperCase(), undefined],
  [7, undefined],
  [CALLER, { traceId: "ab".repeat(16), spanId: "cd".repeat(8), isSampled: true }],
  [`00-${"ab".repeat(16)}-${"cd".repeat(8)}-02`, { traceId: "ab".repeat(16), spanId: "cd".repeat(8), isSampled: false }],
  // A later version may say more.
  [`01-${"ab".repeat(16)}-${"cd".repeat(8)}-03-more`, { traceId: "ab".repeat(16), spanId: "cd".repeat(8), isSampled: true }],
])("traceparent %s is read as W3C says", (text, context) => {
  expect(parseTraceparent(text)).toEqual(context);
});
