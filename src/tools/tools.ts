import { z } from "zod";
import type { Action, Actions } from "../actions/action.ts";
import { runAction } from "../actions/run-action.ts";
import { didYouMean } from "../definition/closest-name.ts";
import { toJson, type JsonObject } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import { createGuardedFetch } from "../outbound/guarded-fetch.ts";
import type { Outbound } from "../outbound/outbound.ts";
import type { ReadSecret } from "../outbound/secrets.ts";
import { createMcpServer, type McpServer, type McpServerConfig } from "./mcp-server.ts";
import type { Tool, Tools } from "./tool.ts";

const MCP_NAME = /^mcp:([^/]+)\/(.+)$/;

export interface ToolsOptions {
  actions: Actions;
  /** Tools of the operator. */
  own?: readonly Tool[] | undefined;
  /** MCP servers by name. */
  mcp?: Readonly<Record<string, McpServerConfig>> | undefined;
  /** How servers are reached; none can be without it. */
  outbound?: Pick<Outbound, "agent" | "rules"> | undefined;
  readSecret?: ReadSecret | undefined;
}

/** Actions, LangChain tools and the tools of MCP servers under one roof. INVALID_INPUT where two have one name. */
export function createTools({ actions, own = [], mcp = {}, outbound, readSecret = () => Promise.resolve(undefined) }: ToolsOptions): Tools {
  const local = new Map<string, Tool>();
  for (const tool of [...actions.list().map(fromAction), ...own]) {
    if (local.has(tool.name)) throw new SignalboxError("INVALID_INPUT", `Two tools have the name "${tool.name}".`);
    local.set(tool.name, tool);
  }
  const fetch = outbound && createGuardedFetch(outbound);
  const servers = new Map<string, McpServer>();
  for (const [name, config] of Object.entries(mcp)) {
    if (fetch) servers.set(name, createMcpServer({ name, config, fetch, readSecret }));
  }

  async function select(names: readonly string[]): Promise<Tool[]> {
    const found = await Promise.all(names.map(toolsOf));
    return [...new Map(found.flat().map((tool) => [tool.name, tool])).values()];
  }

  async function toolsOf(name: string): Promise<Tool[]> {
    const [, server = "", toolName] = MCP_NAME.exec(name) ?? [];
    const known = local.get(name);
    if (known) return [known];
    const all = (await servers.get(server)?.tools()) ?? [];
    const found = toolName === "*" ? all : all.filter((tool) => tool.name === name);
    if (found.length > 0 || toolName === "*") return found;
    throw new SignalboxError("INVALID_INPUT", `There is no tool "${name}".`, { details: { tool: name, happened: false } });
  }

  return {
    problemWith(name) {
      const server = MCP_NAME.exec(name)?.[1];
      if (local.has(name) || (server !== undefined && servers.has(server))) return undefined;
      if (server !== undefined) {
        const known = [...servers.keys()];
        const hint =
          didYouMean(server, known) ??
          (known.length > 0 ? `Servers are ${known.join(", ")}.` : "The operator lists servers in SIGNALBOX_MCP.");
        return { message: `There is no MCP server "${server}".`, hint };
      }
      const hint = didYouMean(name, local.keys()) ?? `Tools are ${[...local.keys()].join(", ")}, and mcp:<server>/<tool>.`;
      return { message: `There is no tool "${name}".`, hint };
    },
    async find(name) {
      const [tool] = await select([name]);
      if (tool) return tool;
      throw new SignalboxError("INVALID_INPUT", `There is no tool "${name}".`, { details: { tool: name, happened: false } });
    },
    select,
    async close() {
      await Promise.all([...servers.values()].map((server) => server.close()));
    },
  };
}

function fromAction(action: Action): Tool {
  return {
    name: action.name,
    description: action.description,
    // A JSON Schema is JSON; what JSON cannot say of an input is left out.
    schema: toJson(z.toJSONSchema(action.input, { io: "input", unrepresentable: "any" })) as JsonObject,
    async call(args, context) {
      const json = await runAction(action, args, context);
      return { text: typeof json === "string" ? json : JSON.stringify(json), json, content: [] };
    },
  };
}
