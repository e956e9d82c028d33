import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { ExecutionEvent } from "../../src/definition/event.ts";
import type { ExecutionView } from "../../src/api/views/execution.ts";
import { ASK, LINE, ROUNDS } from "./definitions.ts";
import { startApi, type ApiClient, type Frame } from "./support.ts";

const EVERY = 5;
const FIELDS = "seq at type stepId visit branch attempt summary data";

let api: ApiClient;

beforeAll(async () => {
  api = await startApi();
  for (const body of [LINE, ASK, ROUNDS]) await api.call("POST /api/v1/workflows", { body });
});
afterAll(async () => await api[Symbol.asyncDispose]());

/** One connection: events after `afterSeq` until `enough` says so or the stream ends by itself; `ended` tells which. */
type Connection = (
  executionId: string,
  afterSeq: number,
  enough: (events: ExecutionEvent[]) => boolean,
) => Promise<{ events: ExecutionEvent[]; ended: boolean }>;

const SURFACES: Record<string, Connection> = {
  async "Server-Sent Events"(executionId, afterSeq, enough) {
    const controller = new AbortController();
    const events: ExecutionEvent[] = [];
    for await (const { event, data, id } of sseFrames(
      `${api.base}/api/v1/executions/${executionId}/events`,
      { "last-event-id": String(afterSeq) },
      controller.signal,
    )) {
      if (event === "end") return { events, ended: true };
      const parsed = JSON.parse(data) as ExecutionEvent;
      expect(id).toBe(String(parsed.seq));
      expect(event).toBe(parsed.type);
      events.push(parsed);
      if (enough(events)) break;
    }
    controller.abort();
    return { events, ended: false };
  },
  async "GraphQL subscription"(executionId, afterSeq, enough) {
    const client = api.graphqlSocket();
    const events: ExecutionEvent[] = [];
    const query = `subscription ($id: ID!, $after: Int) { executionEvents(executionId: $id, afterSeq: $after) { ${FIELDS} } }`;
    for await (const { data } of client.iterate<{ executionEvents: ExecutionEvent[] }>({
      query,
      variables: { id: executionId, after: afterSeq },
    })) {
      for (const event of data?.executionEvents ?? []) if (!enough(events)) events.push(event);
      if (!enough(events)) continue;
      client.terminate();
      return { events, ended: false };
    }
    await client.dispose();
    return { events, ended: true };
  },
  async WebSocket(executionId, afterSeq, enough) {
    const socket = await api.socket();
    const topic = `execution:${executionId}`;
    const events: ExecutionEvent[] = [];
    socket.send({ type: "subscribe", topic, afterSeq });
    for (;;) {
      const frame = await socket.next(({ type }) => type === "events" || type === "end");
      expect(frame.topic).toBe(topic);
      for (const event of frame.events ?? []) if (!enough(events)) events.push(event);
      if (frame.type === "events" && !enough(events)) continue;
      socket.ws.terminate();
      return { events, ended: frame.type === "end" };
    }
  },
};

interface SseFrame {
  event: string;
  data: string;
  id: string | undefined;
}

async function* sseFrames(url: string, headers: Record<string, string>, signal: AbortSignal): AsyncGenerator<SseFrame> {
  const response = await fetch(url, { headers: { accept: "text/event-stream", ...headers }, signal });
  if (response.status === 204) {
    yield { event: "end", data: "", id: undefined };
    return;
  }
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk as Uint8Array, { stream: true });
    for (let end = text.indexOf("\n\n"); end >= 0; end = text.indexOf("\n\n")) {
      const fields = new Map(
        text
          .slice(0, end)
          .split("\n")
          .filter((line) => line !== "" && !line.startsWith(":"))
          .map((line) => [line.slice(0, line.indexOf(":")), line.slice(line.indexOf(":") + 2)] as const),
      );
      text = text.slice(end + 2);
      if (fields.has("data")) yield { event: fields.get("event") ?? "", data: fields.get("data") ?? "", id: fields.get("id") };
    }
  }
}

test("a client that leaves after every 5 events ends with the same gapless history on all three surfaces", async () => {
  const { body } = await api.call<ExecutionView>("POST /api/v1/workflows/rounds/execute", { body: { input: { rounds: 12 } } });
  const histories = await Promise.all(
    Object.entries(SURFACES).map(async ([name, connect]) => {
      const history: ExecutionEvent[] = [];
      let connections = 0;
      for (let ended = false; !ended; connections += 1) {
        const result = await connect(body.id, history.at(-1)?.seq ?? 0, (events) => events.length >= EVERY);
        history.push(...result.events);
        ended = result.ended;
      }
      return { name, history, connections };
    }),
  );
  const stored = (await api.call<{ items: ExecutionEvent[] }>(`GET /api/v1/executions/${body.id}/events?limit=1000`)).body.items;
  expect(stored.length).toBeGreaterThan(60);
  expect(stored.map(({ seq }) => seq)).toEqual(Array.from({ length: stored.length }, (_, index) => index + 1));
  for (const { name, history, connections } of histories) {
    expect(connections, name).toBeGreaterThan(stored.length / EVERY - 1);
    expect(history, name).toEqual(stored);
  }
});

describe.each(Object.entries(SURFACES))("%s", (_name, connect) => {
  const all = () => false;

  test("shows the whole history of an execution that is over, and its end", async () => {
    const { id, lastSeq } = await api.execute("line", { input: { amount: 1 } });
    const { events, ended } = await connect(id, 0, all);
    expect(ended).toBe(true);
    expect(events.map(({ seq }) => seq)).toEqual(Array.from({ length: lastSeq }, (_, index) => index + 1));
  });

  test("tells a client that has seen everything that it is over", async () => {
    const { id, lastSeq } = await api.execute("line", { input: { amount: 1 } });
    expect(await connect(id, lastSeq, all)).toEqual({ events: [], ended: true });
  });

  test("goes on after a person answered", async () => {
    const { id, waits, lastSeq } = await api.execute("ask", { input: { amount: 1 } });
    const watching = connect(id, lastSeq, all);
    await api.call(`POST /api/v1/approvals/${waits[0]?.id}/decide`, { body: { decision: "approve" } });
    const { events, ended } = await watching;
    expect(ended).toBe(true);
    expect(events[0]?.seq).toBe(lastSeq + 1);
    expect(events.at(-1)?.type).toBe("execution.completed");
  });
});

describe("Server-Sent Events", () => {
  test("end with the status, and a browser that reconnects after the end is told to stop", async () => {
    const { id, lastSeq } = await api.execute("line", { input: { amount: 1 } });
    const url = `${api.base}/api/v1/executions/${id}/events`;
    const frames: SseFrame[] = [];
    for await (const frame of sseFrames(`${url}?afterSeq=${lastSeq - 1}`, {}, AbortSignal.timeout(10_000))) frames.push(frame);
    expect(frames.map(({ event }) => event)).toEqual(["execution.completed", "end"]);
    expect(JSON.parse(frames[1]?.data ?? "")).toEqual({ executionId: id, status: "COMPLETED", lastSeq });
    const onlyEnd: SseFrame[] = [];
    for await (const frame of sseFrames(`${url}?afterSeq=${lastSeq}`, {}, AbortSignal.timeout(10_000))) onlyEnd.push(frame);
    expect(onlyEnd.map(({ event }) => event)).toEqual(["end"]);
    const again = await fetch(url, { headers: { accept: "text/event-stream", "last-event-id": String(lastSeq) } });
    expect(again.status).toBe(204);
  });

  test("of an unknown execution, or with a Last-Event-ID of nobody's, are a problem and no stream", async () => {
    const headers = { accept: "text/event-stream" };
    expect(await api.refused("GET /api/v1/executions/gone/events", { headers })).toMatchObject({ code: "NOT_FOUND" });
    const { id } = await api.execute("line", { input: { amount: 1 } });
    expect(await api.refused(`GET /api/v1/executions/${id}/events`, { headers: { ...headers, "last-event-id": "x" } })).toMatchObject({
      code: "INVALID_INPUT",
    });
    expect(await api.refused(`GET /api/v1/executions/${id}/events?limit=2`, { headers })).toMatchObject({ code: "INVALID_INPUT" });
  });
});

describe("GraphQL subscriptions", () => {
  async function collect<T>(
    query: string,
    variables: Record<string, unknown>,
  ): Promise<{ values: T[]; errors: readonly { extensions?: Record<string, unknown> | undefined }[] }> {
    const client = api.graphqlSocket();
    const values: T[] = [];
    try {
      for await (const { data, errors } of client.iterate<Record<string, T>>({ query, variables })) {
        if (errors) return { values, errors };
        values.push(...Object.values(data ?? {}));
      }
      return { values, errors: [] };
    } catch (errors) {
      return { values, errors: errors as { extensions: Record<string, unknown> }[] };
    } finally {
      await client.dispose();
    }
  }
  const STATUS = "subscription ($id: ID!) { workflowStatus(executionId: $id) }";

  test("workflowStatus gives the status at once, each change once, and ends with the execution", async () => {
    const { id, waits } = await api.execute("ask", { input: { amount: 1 } });
    const watching = collect<string>(STATUS, { id });
    await api.call(`POST /api/v1/executions/${id}/pause`);
    await api.call(`POST /api/v1/executions/${id}/resume`);
    await api.call(`POST /api/v1/approvals/${waits[0]?.id}/decide`, { body: { decision: "approve" } });
    const { values } = await watching;
    expect(values.at(-1)).toBe("COMPLETED");
    expect(values.every((value, index) => value !== values[index - 1])).toBe(true);
    expect((await collect<string>(STATUS, { id })).values).toEqual(["COMPLETED"]);
  });

  test("what cannot be subscribed to is refused with a code", async () => {
    expect((await collect(STATUS, { id: "gone" })).errors[0]?.extensions).toMatchObject({ code: "NOT_FOUND" });
    expect((await collect("subscription { nothing }", {})).errors[0]?.extensions).toMatchObject({ code: "INVALID_INPUT" });
    expect((await collect("subscription {", {})).errors[0]?.extensions).toMatchObject({ code: "INVALID_INPUT" });
    expect((await collect(STATUS, {})).errors[0]?.extensions).toMatchObject({ code: "INVALID_INPUT" });
    const aliases = Array.from({ length: 200 }, (_, index) => `a${index}: workflowStatus(executionId: "x")`).join(" ");
    expect((await collect(`subscription { ${aliases} }`, {})).errors[0]?.extensions).toMatchObject({ code: "INVALID_INPUT" });
  });

  test("queries and mutations pass on the same socket", async () => {
    expect((await collect("{ workflows(pageSize: 1) { executionStats { total } } }", {})).values).toHaveLength(1);
  });

  test("an unsubscribed client leaves no follower behind", async () => {
    const { id } = await api.execute("ask", { input: { amount: 1 } });
    const { executor } = api.app;
    const follow = executor.follow.bind(executor);
    const signals: AbortSignal[] = [];
    executor.follow = (tenant, executionId, options) => {
      signals.push(options.signal);
      return follow(tenant, executionId, options);
    };
    const client = api.graphqlSocket();
    const iterator = client.iterate({ query: "subscription ($id: ID!) { executionEvents(executionId: $id) { seq } }", variables: { id } });
    await iterator.next();
    const [signal] = signals;
    expect(signal?.aborted).toBe(false);
    const aborted = new Promise((resolve) => signal?.addEventListener("abort", resolve));
    await iterator.return?.();
    await aborted;
    executor.follow = follow;
    await client.dispose();
  });
});

describe("WebSocket", () => {
  const of = (type: string) => (frame: Frame) => frame.type === type;

  test("many topics share one socket, each with its own place", async () => {
    const first = await api.execute("line", { input: { amount: 1 } });
    const second = await api.execute("ask", { input: { amount: 1 } });
    const socket = await api.socket();
    socket.send({ type: "subscribe", id: "1", topic: `execution:${first.id}`, afterSeq: first.lastSeq - 2 });
    socket.send({ type: "subscribe", id: "2", topic: `execution:${second.id}` });
    expect(await socket.next(of("subscribed"))).toMatchObject({ id: "1", status: "COMPLETED", lastSeq: first.lastSeq });
    expect(await socket.next(({ type, topic }) => type === "end" && topic === `execution:${first.id}`)).toMatchObject({
      status: "COMPLETED",
    });
    socket.send({ type: "unsubscribe", id: "3", topic: `execution:${second.id}` });
    expect(await socket.next(of("unsubscribed"))).toMatchObject({ id: "3" });
    socket.send({ type: "ping", id: "4" });
    expect(await socket.next(of("pong"))).toMatchObject({ id: "4" });
    socket.ws.close();
    expect(await socket.closed).toMatchObject({ code: 1005 });
  });

  test.each([
    ["no JSON", "{subscribe", "MALFORMED_JSON"],
    ["an unknown type", { type: "dance" }, "INVALID_INPUT"],
    ["an unknown field", { type: "ping", colour: 1 }, "INVALID_INPUT"],
    ["a topic of another kind", { type: "subscribe", topic: "tenant" }, "INVALID_INPUT"],
    ["a seq below zero", { type: "subscribe", topic: "execution:x", afterSeq: -1 }, "INVALID_INPUT"],
    ["an unknown execution", { type: "subscribe", topic: "execution:gone" }, "NOT_FOUND"],
  ])("%s is answered with an error frame, and the socket stays", async (_what, frame, code) => {
    const socket = await api.socket();
    socket.send(frame);
    expect((await socket.next(of("error"))).error).toMatchObject({ code });
    socket.send({ type: "ping" });
    await socket.next(of("pong"));
    socket.ws.terminate();
  });

  test("the sub-protocol may be left out, a frame above 64 KiB closes the socket", async () => {
    const socket = await api.socket([]);
    expect(socket.ws.protocol).toBe("");
    socket.send({ type: "ping", id: "x".repeat(70_000) });
    expect((await socket.closed).code).toBeGreaterThanOrEqual(1006);
  });

  test("a topic is taken once per socket", async () => {
    const { id } = await api.execute("ask", { input: { amount: 1 } });
    const socket = await api.socket();
    for (let index = 0; index < 2; index += 1) socket.send({ type: "subscribe", topic: `execution:${id}` });
    expect((await socket.next(of("error"))).error).toMatchObject({ code: "CONFLICT" });
    socket.ws.terminate();
  });
});
