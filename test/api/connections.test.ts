import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import type { FastifyInstance } from "fastify";
import { createServer, type ServerOptions } from "../../src/api/server.ts";
import { systemClock } from "../../src/ports/clock.ts";
import { loadStepTypes } from "../../src/registry.ts";
import { ASK, LINE } from "./definitions.ts";
import { clientOf, startApi, type ApiClient } from "./support.ts";

/** A second server over the same service, with bounds a test can reach. */
async function serve(api: ApiClient, options: Partial<ServerOptions>): Promise<{ server: FastifyInstance; base: string }> {
  const { executor, workflows, triggers, events, webhooks, store, config } = api.app;
  const stepTypes = await loadStepTypes();
  const server = await createServer({
    executor,
    workflows,
    triggers,
    events,
    webhooks,
    store,
    config,
    stepTypes,
    clock: systemClock,
    readiness: () => ({ ready: true }),
    ...options,
  });
  return { server, base: await server.listen({ host: "127.0.0.1", port: 0 }) };
}

/** An execution that is over and whose history is 18 MB: more than the kernel keeps for a client that does not read. */
async function heavyExecution(api: ApiClient): Promise<{ id: string; lastSeq: number }> {
  await api.call("POST /api/v1/workflows", { body: LINE });
  const { id } = await api.execute("line", { input: { amount: 1 } });
  const { executor, store } = api.app;
  const lastSeq = 300;
  const [first] = await executor.events("default", id, { limit: 1 });
  if (!first) throw new Error("an execution without events");
  const events = Array.from({ length: lastSeq }, (_, index) => ({ ...first, seq: index + 1, data: { text: "x".repeat(60_000) } }));
  events[lastSeq - 1] = { ...first, seq: lastSeq, type: "execution.completed", data: { text: "" } };
  await store.executions.create({ ...(await executor.get("default", id)), id: "heavy", idempotencyKey: null, lastSeq }, events);
  return { id: "heavy", lastSeq };
}

test("a WebSocket client that stops reading is closed with the seq to go on from, and misses nothing", async () => {
  await using api = await startApi();
  const { id, lastSeq } = await heavyExecution(api);
  const { server, base } = await serve(api, { limits: { bufferedBytes: 65_536, stallMs: 1_000 } });
  const seen: number[] = [];
  let buffered: number | undefined;

  async function watch(afterSeq: number, isSlow: boolean): Promise<{ code: number; reason: string }> {
    const socket = new WebSocket(`${base.replace("http", "ws")}/api/v1/ws`);
    await once(socket, "open");
    socket.on("message", (data: Buffer) => {
      const frame = JSON.parse(data.toString()) as { type: string; events?: { seq: number }[] };
      for (const { seq } of frame.events ?? []) seen.push(seq);
      if (frame.type === "end") socket.close();
    });
    socket.send(JSON.stringify({ type: "subscribe", topic: `execution:${id}`, afterSeq }));
    if (isSlow) await stall(socket);
    const [code, reason] = (await once(socket, "close")) as [number, Buffer];
    return { code, reason: reason.toString() };
  }

  /** Reads nothing until the server gives up. */
  async function stall(socket: WebSocket): Promise<void> {
    socket.pause();
    const [atServer] = [...server.websocketServer.clients];
    await vi.waitUntil(() => atServer?.readyState === WebSocket.CLOSING, { timeout: 10_000, interval: 20 });
    buffered = atServer?.bufferedAmount;
    socket.resume();
  }

  const closed = await watch(0, true);
  // One frame above the bound is all that may wait.
  expect(buffered).toBeLessThan(1_000_000);
  expect(closed).toEqual({ code: 1013, reason: `slow consumer, resume execution:${id} afterSeq ${seen.at(-1)}` });
  expect(seen.length).toBeLessThan(lastSeq);
  await watch(seen.at(-1) ?? 0, false);
  expect(seen).toEqual(Array.from({ length: lastSeq }, (_, index) => index + 1));
  await server.close();
});

test("an event stream nobody reads is cut off", async () => {
  await using api = await startApi();
  const { id } = await heavyExecution(api);
  const { server, base } = await serve(api, { limits: { bufferedBytes: 65_536, stallMs: 300 } });
  const { port, hostname } = new URL(base);
  const deaf = connect(Number(port), hostname);
  deaf.pause();
  deaf.write(`GET /api/v1/executions/${id}/events HTTP/1.1\r\nhost: localhost\r\naccept: text/event-stream\r\n\r\n`);
  const [atServer] = (await once(server.server, "connection")) as [Socket];
  await once(atServer, "close");
  expect(atServer.destroyed).toBe(true);
  deaf.destroy();
  await server.close();
});

test("closing asks live clients to come back, ends long waits, and is done in time whatever clients do", async () => {
  await using api = await startApi();
  for (const body of [LINE, ASK]) await api.call("POST /api/v1/workflows", { body });
  const { id } = await api.execute("ask", { input: { amount: 1 } });
  const { server, base } = await serve(api, { closeMs: 500 });
  const client = clientOf(base);

  const socket = await client.socket();
  socket.send({ type: "subscribe", topic: `execution:${id}` });
  await socket.next(({ type }) => type === "events");
  const stream = await fetch(`${base}/api/v1/executions/${id}/events`, { headers: { accept: "text/event-stream" } });
  const streamed = stream.text();
  const graphql = new WebSocket(`${base.replace("http", "ws")}/graphql`, "graphql-transport-ws");
  await once(graphql, "open");
  const graphqlClosed = once(graphql, "close") as Promise<[number]>;
  // A client that never finishes its request, and one that answers no closing handshake.
  const { port, hostname } = new URL(base);
  const half = connect(Number(port), hostname);
  half.write("POST /api/v1/workflows HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{");
  half.on("error", () => {});
  const halfClosed = once(half, "close");
  const deaf = await client.socket();
  deaf.ws.pause();

  const startedAt = Date.now();
  await server.close();
  expect(Date.now() - startedAt).toBeLessThan(2_000);
  expect(await socket.closed).toMatchObject({ code: 1012 });
  expect((await graphqlClosed)[0]).toBe(1012);
  expect(await streamed).not.toContain("event: end");
  await halfClosed;
  deaf.ws.terminate();
});

test("a wait that is under way is answered with what is when the service closes", async () => {
  await using api = await startApi();
  await api.call("POST /api/v1/workflows", {
    body: { id: "slow", name: "Slow", steps: [{ id: "nap", type: "delay", config: { for: "20s" } }] },
  });
  const { server, base } = await serve(api, {});
  const waiting = clientOf(base).call("POST /api/v1/workflows/slow/execute?wait=30s", { body: {} });
  await expect.poll(async () => (await api.call<{ items: unknown[] }>("GET /api/v1/executions?status=RUNNING")).body.items.length).toBe(1);
  await server.close();
  expect(await waiting).toMatchObject({ status: 202, body: { status: "RUNNING" } });
});

test("a client that answers no ping is dropped", async () => {
  await using api = await startApi();
  const { server, base } = await serve(api, { limits: { heartbeatMs: 50 } });
  const alive = await clientOf(base).socket();
  const dead = new WebSocket(`${base.replace("http", "ws")}/api/v1/ws`, { autoPong: false });
  await once(dead, "close");
  expect(alive.ws.readyState).toBe(WebSocket.OPEN);
  await server.close();
});

test("a socket takes no more topics than its bound, on both protocols", async () => {
  await using api = await startApi();
  await api.call("POST /api/v1/workflows", { body: ASK });
  const ids = [];
  for (let index = 0; index < 3; index += 1) ids.push((await api.execute("ask", { input: { amount: 1 } })).id);
  const { server, base } = await serve(api, { limits: { subscriptionsPerSocket: 2 } });
  const client = clientOf(base);
  const socket = await client.socket();
  for (const id of ids) socket.send({ type: "subscribe", topic: `execution:${id}` });
  expect((await socket.next(({ type }) => type === "error")).error).toMatchObject({ code: "LIMIT_EXCEEDED" });
  const graphql = client.graphqlSocket();
  const iterators = ids.map((id) =>
    graphql.iterate({ query: "subscription ($id: ID!) { executionEvents(executionId: $id) { seq } }", variables: { id } }),
  );
  const refusals = await Promise.all(
    iterators.map(async (iterator) => {
      const { value } = await iterator.next();
      return (value?.errors ?? []).map((error: { extensions?: Record<string, unknown> }) => error.extensions?.["code"]);
    }),
  );
  expect(refusals.flat()).toEqual(["LIMIT_EXCEEDED"]);
  await graphql.dispose();
  await server.close();
});
