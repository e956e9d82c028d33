import { once } from "node:events";
import { createClient, type Client } from "graphql-ws";
import { WebSocket } from "ws";
import { createApp, type App, type AppOptions } from "../../src/app.ts";
import { loadConfig } from "../../src/config.ts";
import type { ExecutionEvent } from "../../src/definition/event.ts";
import type { ExecutionView } from "../../src/api/views/execution.ts";
import type { Problem } from "../../src/api/problem.ts";

export interface Answer<T> {
  status: number;
  headers: Headers;
  body: T;
}

export interface ApiClient extends AsyncDisposable {
  app: App;
  base: string;
  call<T = Record<string, unknown>>(route: string, options?: { body?: unknown; headers?: Record<string, string> }): Promise<Answer<T>>;
  refused(route: string, options?: { body?: unknown; headers?: Record<string, string> }): Promise<Problem>;
  graphql<T = Record<string, unknown>>(query: string, variables?: Record<string, unknown>): Promise<GraphQLAnswer<T>>;
  graphqlSocket(): Client;
  socket(protocols?: string[]): Promise<LiveSocket>;
  /** Starts an execution and waits until it ended or rests. */
  execute(workflowId: string, body?: unknown): Promise<ExecutionView>;
}

export interface GraphQLAnswer<T> {
  status: number;
  data: T;
  errors: {
    message: string;
    path?: (string | number)[];
    extensions: { code: string; status: number; retryable: boolean; issues?: { code: string; pointer: string; message: string }[] };
  }[];
}

/** A client of the native WebSocket that remembers every frame. */
export interface LiveSocket {
  ws: WebSocket;
  send(frame: unknown): void;
  /** The next frame that fits, those before it dropped. */
  next(isWanted: (frame: Frame) => boolean): Promise<Frame>;
  closed: Promise<{ code: number; reason: string }>;
}

export interface Frame {
  type: string;
  id?: string;
  topic?: string;
  status?: string;
  lastSeq?: number;
  events?: ExecutionEvent[];
  error?: Problem;
}

/** The real service on a free port, in memory. */
export async function startApi(environment: Record<string, string> = {}, options: Omit<AppOptions, "config"> = {}): Promise<ApiClient> {
  const loaded = loadConfig({ PORT: "0", SIGNALBOX_STORE: "sqlite::memory:", SIGNALBOX_LOG: "silent", ...environment });
  if ("problems" in loaded) throw new Error(loaded.problems.join("\n"));
  const app = await createApp({ config: loaded.config, ...options });
  const base = await app.server.listen({ host: "127.0.0.1", port: 0 });
  return { app, ...clientOf(base), [Symbol.asyncDispose]: () => app.close() };
}

export function clientOf(base: string): Omit<ApiClient, "app" | typeof Symbol.asyncDispose> {
  const live = base.replace("http", "ws");

  async function call<T>(
    route: string,
    { body, headers = {} }: { body?: unknown; headers?: Record<string, string> } = {},
  ): Promise<Answer<T>> {
    const [method = "GET", path = "/"] = route.split(" ");
    const hasBody = body !== undefined;
    const response = await fetch(base + path, {
      method,
      headers: { ...(hasBody && { "content-type": "application/json" }), ...headers },
      ...(hasBody && { body: typeof body === "string" ? body : JSON.stringify(body) }),
    });
    const text = await response.text();
    return { status: response.status, headers: response.headers, body: (text === "" ? undefined : JSON.parse(text)) as T };
  }

  return {
    base,
    call,
    async refused(route, options) {
      const { status, headers, body } = await call<Problem>(route, options);
      if (status < 400) throw new Error(`${route} was not refused: ${status} ${JSON.stringify(body)}`);
      if (!headers.get("content-type")?.startsWith("application/problem+json") || body.status !== status)
        throw new Error(`${route}: no problem document`);
      return body;
    },
    async graphql<T>(query: string, variables?: Record<string, unknown>) {
      const { status, body } = await call<GraphQLAnswer<T>>("POST /graphql", { body: { query, variables } });
      return { status, data: body.data, errors: body.errors ?? [] };
    },
    graphqlSocket: () => createClient({ url: `${live}/graphql`, webSocketImpl: WebSocket, retryAttempts: 0 }),
    socket: (protocols = ["signalbox.v1"]) => openSocket(`${live}/api/v1/ws`, protocols),
    async execute(workflowId, body = {}) {
      return (await call<ExecutionView>(`POST /api/v1/workflows/${workflowId}/execute?wait=20s`, { body })).body;
    },
  };
}

async function openSocket(url: string, protocols: string[]): Promise<LiveSocket> {
  const ws = new WebSocket(url, protocols);
  const frames: Frame[] = [];
  let wake = (): void => {};
  ws.on("message", (data: Buffer) => {
    frames.push(JSON.parse(data.toString()) as Frame);
    wake();
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    ws.once("close", (code, reason) => {
      resolve({ code, reason: reason.toString() });
      wake();
    });
  });
  await once(ws, "open");
  return {
    ws,
    closed,
    send: (frame) => ws.send(typeof frame === "string" ? frame : JSON.stringify(frame)),
    async next(isWanted) {
      for (;;) {
        for (let frame = frames.shift(); frame; frame = frames.shift()) if (isWanted(frame)) return frame;
        if (ws.readyState === WebSocket.CLOSED) throw new Error("the socket closed before such a frame came");
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}
