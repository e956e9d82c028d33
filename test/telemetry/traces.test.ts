import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect } from "vitest";
import { openStore } from "../../src/adapters/open.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { observedStore } from "../../src/telemetry/observed-store.ts";
import { commitSpans } from "../../src/telemetry/spans.ts";
import { spanIdOf, traceIdOf, traceparentOf } from "../../src/telemetry/trace-ids.ts";
import { startTracing } from "../../src/telemetry/tracing.ts";
import { createEngine, testInMemory } from "../support/engine.ts";

interface SentSpan {
  traceId: string;
  spanId: string;
  parentSpanId?: string;
  name: string;
  startTimeUnixNano: string;
  endTimeUnixNano: string;
  status: { code?: number; message?: string };
  links?: { traceId: string; spanId: string }[];
  attributes: { key: string; value: { stringValue?: string; intValue?: number; doubleValue?: number } }[];
}

/** A collector that speaks OTLP over HTTP, as the one in a cluster does. */
async function startCollector() {
  const spans: SentSpan[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const body = JSON.parse(Buffer.concat(chunks).toString()) as { resourceSpans: { scopeSpans: { spans: SentSpan[] }[] }[] };
      spans.push(...body.resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap((scope) => scope.spans)));
      response.writeHead(200, { "content-type": "application/json" }).end("{}");
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const close = async () => {
    server.closeAllConnections();
    server.close();
  };
  return { spans, url: `http://127.0.0.1:${port}`, [Symbol.asyncDispose]: close };
}

const WORKFLOW = {
  id: "answer",
  name: "Answer",
  steps: [
    { id: "write", type: "prompt", config: { prompt: "Say hello to ${ input.name }" }, nextSteps: ["fail"] },
    { id: "fail", type: "transform", config: { set: { value: "${ input.missing.field }" } }, nextSteps: ["finish"] },
    { id: "finish", type: "end" },
  ],
};

testInMemory("each execution, step and model call is one span of one trace, sent over OTLP", async () => {
  await using collector = await startCollector();
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url;
  const { tracer, isSampled, close } = await startTracing({ serviceName: "signalbox", instance: "pod-1", ratio: 1 });
  delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  const opened = await openStore("sqlite::memory:", { ownerId: "worker-1", clock: systemClock });
  await using engine = await createEngine({ store: observedStore(opened, { observers: [commitSpans(tracer)], clock: systemClock }) });
  await engine.define({ ...WORKFLOW, status: "active" });
  const { id } = await engine.run("answer", { name: "Ada" });
  await engine.worker.idle();
  await close();

  const byName = new Map(collector.spans.map((span) => [span.name, span]));
  expect(collector.spans.map(({ name }) => name).toSorted()).toEqual(["chat offline", "execution answer", "step fail", "step write"]);
  expect(new Set(collector.spans.map(({ traceId }) => traceId))).toEqual(new Set([traceIdOf(id)]));
  const [execution, write, call, fail] = ["execution answer", "step write", "chat offline", "step fail"].map((name) => byName.get(name));
  expect(execution?.spanId).toBe(spanIdOf(id));
  expect(execution?.parentSpanId ?? "").toBe("");
  expect(write?.parentSpanId).toBe(execution?.spanId);
  expect(call?.parentSpanId).toBe(write?.spanId);
  expect(fail).toMatchObject({ parentSpanId: execution?.spanId, status: { code: 2, message: "EXPRESSION_FAILED" } });
  expect(execution?.status).toMatchObject({ code: 2 });
  const attributes = Object.fromEntries(
    (call?.attributes ?? []).map(({ key, value }) => [key, value.stringValue ?? value.intValue ?? value.doubleValue]),
  );
  expect(attributes).toMatchObject({
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "scripted",
    "gen_ai.request.model": "offline",
  });
  expect(Number(attributes["gen_ai.usage.input_tokens"])).toBeGreaterThan(0);
  expect(JSON.stringify(collector.spans)).not.toContain("Ada");
  for (const span of collector.spans) expect(BigInt(span.endTimeUnixNano)).toBeGreaterThanOrEqual(BigInt(span.startTimeUnixNano));
  // What a step sends out names the same span, in whichever process it is made.
  expect(traceparentOf(id, { stepId: "write", branch: null, visit: 1 }, isSampled)).toBe(`00-${write?.traceId}-${write?.spanId}-01`);
});

testInMemory("a share of executions is traced whole or not at all", async () => {
  await using collector = await startCollector();
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url;
  const { tracer, isSampled, close } = await startTracing({ serviceName: "signalbox", instance: "pod-1", ratio: 0.5 });
  delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  const opened = await openStore("sqlite::memory:", { ownerId: "worker-1", clock: systemClock });
  await using engine = await createEngine({ store: observedStore(opened, { observers: [commitSpans(tracer)], clock: systemClock }) });
  await engine.define({ ...WORKFLOW, status: "active" });
  const ran = await Promise.all(Array.from({ length: 60 }, () => engine.run("answer", { name: "Ada" })));
  await engine.worker.idle();
  await close();
  const sizes = Map.groupBy(collector.spans, ({ traceId }) => traceId);
  expect(sizes.size).toBeGreaterThan(10);
  expect(sizes.size).toBeLessThan(50);
  for (const [traceId, spans] of sizes) expect(spans.length, traceId).toBe(4);
  // Receivers of what steps send are told the same.
  for (const { id } of ran) {
    const flag = traceparentOf(id, { stepId: "write", branch: null, visit: 1 }, isSampled).slice(-2);
    expect(flag, id).toBe(sizes.has(traceIdOf(id)) ? "01" : "00");
  }
});

testInMemory("a child has a trace of its own, linked to the step that started it and to the execution that waits for it", async () => {
  await using collector = await startCollector();
  process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url;
  const { tracer, close } = await startTracing({ serviceName: "signalbox", instance: "pod-1", ratio: 1 });
  delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  const opened = await openStore("sqlite::memory:", { ownerId: "worker-1", clock: systemClock });
  await using engine = await createEngine({ store: observedStore(opened, { observers: [commitSpans(tracer)], clock: systemClock }) });
  await engine.define({ id: "inner", name: "Inner", status: "active", steps: [{ id: "one", type: "transform", config: { set: {} } }] });
  await engine.define({
    id: "outer",
    name: "Outer",
    status: "active",
    steps: [{ id: "call", type: "workflow", config: { workflowId: "inner" } }],
  });
  const { id } = await engine.start("outer");
  // It is parked until the child has ended, so it may be found at rest before.
  await expect.poll(async () => (await engine.executor.get("default", id)).status).toBe("COMPLETED");
  await engine.worker.idle();
  await close();

  const spanOf = (name: string) => collector.spans.find((span) => span.name === name);
  const [outer, call, inner] = ["execution outer", "step call", "execution inner"].map(spanOf);
  expect(outer?.traceId).toBe(traceIdOf(id));
  expect(inner?.traceId).not.toBe(outer?.traceId);
  const linked = inner?.links?.map(({ traceId, spanId }) => ({ traceId, spanId }));
  expect(linked).toEqual([call, outer].map((span) => ({ traceId: span?.traceId, spanId: span?.spanId })));
});
