import { AsyncLocalStorage } from "node:async_hooks";
import type { Client } from "@modelcontextprotocol/sdk/client/index.js";
import type { JsonObject } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import { statusError } from "../outbound/failure.ts";
import { secretText } from "../outbound/http.ts";
import { createSecrets, type ReadSecret, type Secrets } from "../outbound/secrets.ts";
import type { Tool, ToolContext, ToolReply } from "./tool.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/** An MCP server the operator allows, over streamable HTTP. */
export interface McpServerConfig {
  url: string;
  /** Texts may hold secret references. */
  headers?: Readonly<Record<string, string>> | undefined;
  /** The tools that may be used; all unless told. */
  tools?: readonly string[] | undefined;
}

export interface McpServer {
  /** Its tools, asked for when first used. STEP_FAILED where it cannot be reached. */
  tools(): Promise<Tool[]>;
  close(): Promise<void>;
}

interface McpServerOptions {
  name: string;
  config: McpServerConfig;
  fetch: typeof fetch;
  readSecret: ReadSecret;
}

interface Connection {
  client: Client;
  tools: Map<string, Tool>;
}

/** A client of one MCP server. It connects when it is first needed, and anew where the server forgot the session. */
export function createMcpServer({ name, config, fetch, readSecret }: McpServerOptions): McpServer {
  let connecting: Promise<Connection> | undefined;
  /** The call a request is made for: its key travels with it, and its secrets are known when the answer comes. */
  const calls = new AsyncLocalStorage<{ context: ToolContext; secrets: Secrets }>();

  function connect(): Promise<Connection> {
    if (connecting) return connecting;
    const made = open();
    connecting = made;
    // Whoever needs it next tries again.
    made.catch(() => {
      if (connecting === made) connecting = undefined;
    });
    return made;
  }

  async function open(): Promise<Connection> {
    // Loaded when first used: with it a start takes 150 ms longer.
    const [{ Client }, { StreamableHTTPClientTransport }, { loadMcpTools }, { fromLangChain }] = await Promise.all([
      import("@modelcontextprotocol/sdk/client/index.js"),
      import("@modelcontextprotocol/sdk/client/streamableHttp.js"),
      import("@langchain/mcp-adapters"),
      import("./langchain-tool.ts"),
    ]);
    const client = new Client({ name: "signalbox", version: "0.1.0" });
    try {
      await client.connect(new StreamableHTTPClientTransport(new URL(config.url), { fetch: request }), { timeout: CONNECT_TIMEOUT_MS });
      // The adapter uses these three of a client.
      const used = {
        listTools: client.listTools.bind(client),
        readResource: client.readResource.bind(client),
        callTool,
      } as unknown as Client;
      const loaded = await loadMcpTools(name, used, { throwOnLoadError: false });
      const allowed = loaded.filter((tool) => config.tools?.includes(tool.name) ?? true);
      return { client, tools: new Map(allowed.map((tool) => [tool.name, fromLangChain(tool, `mcp:${name}/${tool.name}`)])) };
    } catch (error) {
      await client.close();
      throw mcpError(error, name);
    }

    async function callTool(params: { name: string; arguments?: JsonObject }, schema: undefined, options: object): Promise<unknown> {
      const { idempotencyKey, traceparent, timeoutMs, signal } = calls.getStore()?.context ?? {};
      const meta =
        idempotencyKey === undefined
          ? {}
          : { _meta: { "signalbox/idempotencyKey": idempotencyKey, ...(traceparent !== undefined && { traceparent }) } };
      const bounds = { ...(timeoutMs !== undefined && { timeout: timeoutMs }), ...(signal && { signal }) };
      return await client.callTool({ ...params, ...meta }, schema, { ...options, ...bounds }).catch((error: unknown) => {
        // By this name the adapter lets an error pass as it is.
        throw Object.assign(new Error("the call failed", { cause: mcpError(error, name) }), { name: "ToolException" });
      });
    }
  }

  const request: typeof fetch = async (url, init) => {
    // The server may open a stream of its own for news; there are none we use.
    if (init?.method === "GET") return new Response(null, { status: 405 });
    const headers = new Headers(init?.headers);
    const { context, secrets = createSecrets(readSecret) } = calls.getStore() ?? {};
    for (const [header, value] of Object.entries(config.headers ?? {})) headers.set(header, await secrets.reveal(secretText(value)));
    if (context) headers.set("idempotency-key", context.idempotencyKey);
    if (context?.traceparent !== undefined) headers.set("traceparent", context.traceparent);
    return await fetch(url, { ...init, headers });
  };

  async function call(toolName: string, args: JsonObject, context: ToolContext): Promise<ToolReply> {
    for (let attempt = 1; ; attempt++) {
      const { tools } = await connect();
      const tool = tools.get(toolName);
      if (!tool)
        throw new SignalboxError("INVALID_INPUT", `The MCP server "${name}" has no tool "${toolName}".`, { details: { happened: false } });
      const secrets = createSecrets(readSecret);
      try {
        const reply = await calls.run({ context, secrets }, () => tool.call(args, context));
        return hidden(reply, secrets);
      } catch (error) {
        if (attempt > 1 || !isSessionGone(error)) throw hiddenError(error, secrets);
        // It does not know the session, so it has done nothing.
        connecting = undefined;
      }
    }
  }

  return {
    async tools() {
      const { tools } = await connect();
      return [...tools].map(([toolName, tool]) => ({ ...tool, call: (args, context) => call(toolName, args, context) }));
    },
    async close() {
      const connection = await connecting?.catch(() => undefined);
      await connection?.client.close();
    },
  };
}

function hidden(reply: ToolReply, { hide }: Secrets): ToolReply {
  // The same value again, with some of its texts changed.
  return JSON.parse(JSON.stringify(reply), (_key, item: unknown) => (typeof item === "string" ? hide(item) : item)) as ToolReply;
}

function hiddenError(error: unknown, { hide }: Secrets): unknown {
  if (!(error instanceof SignalboxError) || hide(error.message) === error.message) return error;
  return new SignalboxError(error.code, hide(error.message), { details: error.details });
}

function isSessionGone(error: unknown): boolean {
  return error instanceof SignalboxError && error.details["code"] === "HTTP_404";
}

/** What the SDK threw, as one of ours. */
function mcpError(thrown: unknown, server: string): SignalboxError {
  for (let error = thrown; error instanceof Error; error = error.cause) if (error instanceof SignalboxError) return error;
  const { code } = thrown as { code?: unknown };
  const isHttp = thrown instanceof Error && thrown.constructor.name === "StreamableHTTPError";
  if (isHttp && typeof code === "number" && code > 0) return statusError({ status: code, headers: {} }, 0);
  if (thrown instanceof Error && thrown.constructor.name === "UnauthorizedError") return statusError({ status: 401, headers: {} }, 0);
  if (code === REQUEST_TIMEOUT)
    return new SignalboxError("STEP_TIMEOUT", `The MCP server "${server}" did not answer in time.`, {
      details: { code: "TIMEOUT", server },
      cause: thrown,
    });
  const isRefused = typeof code === "number" && REFUSED.has(code);
  const message = (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, 1_000);
  return new SignalboxError(isRefused ? "REQUEST_REFUSED" : "STEP_FAILED", message, {
    details: { code: typeof code === "number" ? `MCP_${code}` : "MCP", server },
    cause: thrown,
  });
}

const REQUEST_TIMEOUT = -32_001;
/** JSON-RPC: parse error, invalid request, unknown method, invalid parameters. */
const REFUSED: ReadonlySet<number> = new Set([-32_700, -32_600, -32_601, -32_602]);
