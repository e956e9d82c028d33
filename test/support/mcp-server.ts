import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { McpServer } from "@modelcontextprotocol/sdk/server/mcp.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { randomUUID } from "node:crypto";
import { z } from "zod";

/** A call as the server saw it. */
export interface SeenCall {
  tool: string;
  args: Record<string, unknown>;
  idempotencyKey: string | undefined;
  authorization: string | undefined;
  traceparent: string | undefined;
}

export interface TestMcpServer extends AsyncDisposable {
  url: string;
  /** For `SIGNALBOX_EGRESS_ALLOW`. */
  entry: string;
  calls: SeenCall[];
  readonly connections: number;
  /** Refunds are answered when this resolves. */
  hold: Promise<unknown> | undefined;
  /** Forgets every session, as a restart does. */
  forget(): void;
}

/** A real MCP server on loopback, over streamable HTTP, with tools to find, count, fail and hang. */
export async function startMcpServer(): Promise<TestMcpServer> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const calls: SeenCall[] = [];
  let connections = 0;
  let hold: Promise<unknown> | undefined;

  function newServer(): McpServer {
    const server = new McpServer({ name: "orders", version: "1" });
    const seen = (tool: string, args: Record<string, unknown>, extra: { requestInfo?: { headers: Record<string, unknown> } }) => {
      const header = (name: string) => extra.requestInfo?.headers[name] as string | undefined;
      calls.push({
        tool,
        args,
        idempotencyKey: header("idempotency-key"),
        authorization: header("authorization"),
        traceparent: header("traceparent"),
      });
    };
    server.registerTool(
      "find",
      { description: "Finds an order by its id.", inputSchema: { id: z.string() }, outputSchema: { id: z.string(), eur: z.number() } },
      (args, extra) => {
        seen("find", args, extra);
        const order = { id: args.id, eur: 12 };
        return { content: [{ type: "text", text: JSON.stringify(order) }], structuredContent: order };
      },
    );
    server.registerTool("refund", { description: "Refunds an order.", inputSchema: { id: z.string() } }, async (args, extra) => {
      seen("refund", args, extra);
      await hold;
      return { content: [{ type: "text", text: `Refunded ${args.id}.` }] };
    });
    server.registerTool("fail", { description: "Fails.", inputSchema: {} }, (args, extra) => {
      seen("fail", args, extra);
      return { isError: true, content: [{ type: "text", text: "no such order" }] };
    });
    server.registerTool("hang", { description: "Never answers.", inputSchema: {} }, (args, extra) => {
      seen("hang", args, extra);
      return new Promise(() => {});
    });
    server.registerTool("echo", { description: "Says what it was sent.", inputSchema: {} }, (args, extra) => {
      seen("echo", args, extra);
      return { content: [{ type: "text", text: String(calls.at(-1)?.authorization) }] };
    });
    return server;
  }

  async function open(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: () => randomUUID(),
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    await newServer().connect(transport);
    await transport.handleRequest(request, response);
  }

  const http = createServer((request, response) => {
    const sessionId = request.headers["mcp-session-id"];
    const known = typeof sessionId === "string" ? sessions.get(sessionId) : undefined;
    if (known) void known.handleRequest(request, response);
    else if (sessionId !== undefined) response.writeHead(404).end("session not found");
    else void open(request, response);
  });
  http.on("connection", () => (connections += 1));
  await new Promise<void>((resolve) => http.listen(0, "127.0.0.1", resolve));
  const { port } = http.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/mcp`,
    entry: `127.0.0.1:${port}`,
    calls,
    get connections() {
      return connections;
    },
    get hold() {
      return hold;
    },
    set hold(until) {
      hold = until;
    },
    forget: () => sessions.clear(),
    async [Symbol.asyncDispose]() {
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}
