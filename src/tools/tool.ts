import type { Json, JsonObject } from "../definition/json.ts";
import type { ActionContext } from "../actions/action.ts";

/** Something a step or an agent may call by name: an action, a LangChain tool, or a tool of an MCP server. */
export interface Tool {
  /** `invoice.send`, or `mcp:<server>/<tool>`. */
  name: string;
  description: string;
  /** JSON Schema of the arguments. */
  schema: JsonObject;
  /** INVALID_INPUT where the arguments do not fit; STEP_FAILED with `details.code: TOOL_ERROR` where the tool says it failed. */
  call(args: JsonObject, context: ToolContext): Promise<ToolReply>;
}

/** What a tool sees of its caller. */
export interface ToolContext extends Omit<ActionContext, "input"> {
  /** Longest time of the call, milliseconds. */
  timeoutMs: number;
}

export interface ToolReply {
  /** What a model reads. */
  text: string;
  /** The result as a value, where it is one: structured content, or a text that is a JSON object or list. */
  json: Json;
  /** Blocks that are no text, as the tool gave them. */
  content: Json[];
}

/** The tools this process knows. */
export interface Tools {
  /** What is wrong with a name, as far as that is known without asking anybody; undefined where nothing is. */
  problemWith(name: string): { message: string; hint: string } | undefined;
  /** The tool of a name. INVALID_INPUT where there is none; STEP_FAILED where its server cannot be reached. */
  find(name: string): Promise<Tool>;
  /** The tools of several names; `mcp:<server>/*` is all that the server has. */
  select(names: readonly string[]): Promise<Tool[]>;
  close(): Promise<void>;
}
