import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A chat completion request as the server read it. */
export interface SeenRequest {
  path: string;
  headers: IncomingMessage["headers"];
  body: {
    model: string;
    stream?: boolean;
    temperature?: number;
    max_tokens?: number;
    messages: { role: string; content: string }[];
    response_format?: {
      type: string;
      json_schema: { name: string; strict: boolean; schema: { properties: Record<string, { enum?: string[] }> } };
    };
  };
  /** Resolves when the client is gone or was answered. */
  closed: Promise<"answered" | "aborted">;
}

/** What the server does with a request: a completion, or one of the ways an endpoint lies. */
export type StubReply =
  | string
  | {
      content?: string | null;
      refusal?: string;
      finishReason?: string;
      toolCalls?: { name: string; arguments: string }[];
      usage?: { prompt_tokens: number; completion_tokens: number; total_tokens: number } | null;
      /** Streams only this many pieces and then ends the connection in good order, without a finish reason. */
      endAfterPieces?: number;
    }
  | { status: number; headers?: Record<string, string>; json?: unknown; text?: string }
  | { hang: true }
  | { reset: true }
  /** Answers after the returned promise, whether the client is still there or not. */
  | { after: Promise<unknown>; reply: string };

export interface OpenAIServer extends AsyncDisposable {
  /** For `createModels({ openai: { baseUrl } })`. */
  baseUrl: string;
  requests: SeenRequest[];
  /** Replaces what is answered from now on: in order, the last one for ever. */
  script(...replies: (StubReply | ((request: SeenRequest) => StubReply))[]): void;
}

/** A real HTTP server on 127.0.0.1 that speaks OpenAI's chat completions, streamed and whole, as a script tells it. */
export async function startOpenAIServer(...replies: (StubReply | ((request: SeenRequest) => StubReply))[]): Promise<OpenAIServer> {
  let script = replies;
  let asked = 0;
  const requests: SeenRequest[] = [];
  const server = createServer((incoming, response) => {
    void readBody(incoming).then((body) => {
      const closed = new Promise<"answered" | "aborted">((resolve) => {
        response.once("close", () => resolve(response.writableFinished ? "answered" : "aborted"));
      });
      const request = { path: incoming.url ?? "", headers: incoming.headers, body: JSON.parse(body) as SeenRequest["body"], closed };
      requests.push(request);
      const chosen = script[Math.min(asked, script.length - 1)] ?? "";
      asked += 1;
      return answer(typeof chosen === "function" ? chosen(request) : chosen, request, response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1`,
    requests,
    script(...next) {
      script = next;
      asked = 0;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

async function readBody(incoming: IncomingMessage): Promise<string> {
  let body = "";
  for await (const chunk of incoming) body += String(chunk);
  return body;
}

async function answer(reply: StubReply, request: SeenRequest, response: ServerResponse): Promise<void> {
  if (typeof reply === "string") return complete({ content: reply }, request, response);
  if ("hang" in reply) return;
  if ("reset" in reply) return void response.socket?.resetAndDestroy();
  if ("after" in reply) {
    await reply.after;
    if (!response.destroyed) complete({ content: reply.reply }, request, response);
    return;
  }
  if ("status" in reply) {
    const type = reply.text === undefined ? "application/json" : "text/html";
    response.writeHead(reply.status, { "content-type": type, ...reply.headers });
    response.end(reply.text ?? JSON.stringify(reply.json ?? {}));
    return;
  }
  complete(reply, request, response);
}

type Completion = Extract<StubReply, { content?: string | null }>;

function complete(completion: Completion, request: SeenRequest, response: ServerResponse): void {
  const { content = null, refusal = null, toolCalls, usage = { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 } } = completion;
  const finish_reason = completion.finishReason ?? (toolCalls ? "tool_calls" : "stop");
  const head = { id: "chatcmpl-1", created: 1, model: request.body.model };
  const tool_calls = toolCalls?.map((call, index) => ({ id: `call_${index}`, type: "function", function: call }));
  if (request.body.stream !== true) {
    const message = { role: "assistant", content, refusal, ...(tool_calls && { tool_calls }) };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ ...head, object: "chat.completion", choices: [{ index: 0, message, finish_reason }], usage }));
    return;
  }
  response.writeHead(200, { "content-type": "text/event-stream" });
  const send = (delta: object, reason: string | null = null) => {
    const chunk = { ...head, object: "chat.completion.chunk", choices: [{ index: 0, delta, finish_reason: reason }] };
    response.write(`data: ${JSON.stringify(chunk)}\n\n`);
  };
  send({ role: "assistant", content: "" });
  const pieceLength = Math.max(8, Math.ceil((content ?? "").length / 2_000));
  const pieces = content?.match(new RegExp(`[^]{1,${pieceLength}}`, "g")) ?? [];
  for (const piece of pieces.slice(0, completion.endAfterPieces)) send({ content: piece });
  if (completion.endAfterPieces !== undefined) return void response.end();
  if (refusal !== null) send({ refusal });
  tool_calls?.forEach((call, index) => send({ tool_calls: [{ index, ...call }] }));
  send({}, finish_reason);
  if (usage) response.write(`data: ${JSON.stringify({ ...head, object: "chat.completion.chunk", choices: [], usage })}\n\n`);
  response.end("data: [DONE]\n\n");
}
