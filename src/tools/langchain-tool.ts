import type { ToolMessage } from "@langchain/core/messages";
import type { StructuredToolInterface } from "@langchain/core/tools";
import { toJsonSchema } from "@langchain/core/utils/json_schema";
import { z } from "zod";
import { toJson, type Json, type JsonObject } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import type { Tool, ToolContext, ToolReply } from "./tool.ts";

/** A LangChain tool as one of ours. What it says in its artifact as `mcp_structured_content` is its value. */
export function fromLangChain(tool: StructuredToolInterface, name: string = tool.name): Tool {
  return {
    name,
    description: tool.description,
    // A JSON Schema is JSON.
    schema: toJson(toJsonSchema(tool.schema)) as JsonObject,
    async call(args, context) {
      try {
        return replyOf(await invoke(tool, args, context));
      } catch (error) {
        throw toolError(error, name, context.signal);
      }
    },
  };
}

async function invoke(
  tool: StructuredToolInterface,
  args: JsonObject,
  { signal, timeoutMs, idempotencyKey }: ToolContext,
): Promise<ToolMessage> {
  const call = { type: "tool_call" as const, id: idempotencyKey, name: tool.name, args };
  // A tool that is called by a tool call answers with a message.
  return (await tool.invoke(call, { signal, timeout: timeoutMs, metadata: { idempotencyKey } })) as ToolMessage;
}

export function replyOf({ content, artifact }: Pick<ToolMessage, "content" | "artifact">): ToolReply {
  const blocks = typeof content === "string" ? [{ type: "text", text: content }] : content;
  const texts = blocks.flatMap((block) => ("text" in block && typeof block.text === "string" ? [block.text] : []));
  const others = [...blocks, ...artifactsOf(artifact)].filter(
    (block) => !("text" in block) && !("data" in block && block["type"] === STRUCTURED),
  );
  const structured = artifactsOf(artifact).find((item) => item["type"] === STRUCTURED);
  const text = structured ? textOfBlock(texts.join("\n")) : texts.join("\n");
  return { text, json: structured ? toJson(structured["data"]) : jsonIn(text), content: others.map(toJson) };
}

/** The name LangChain's MCP adapter gives it. */
const STRUCTURED = "mcp_structured_content";

function artifactsOf(artifact: unknown): Record<string, unknown>[] {
  return Array.isArray(artifact)
    ? artifact.filter((item): item is Record<string, unknown> => typeof item === "object" && item !== null)
    : [];
}

/** Beside structured content the adapter hands over its one text as a block, which LangChain then writes out as JSON. */
function textOfBlock(text: string): string {
  const block = z.object({ type: z.literal("text"), text: z.string() }).safeParse(jsonIn(text));
  return block.success ? block.data.text : text;
}

function jsonIn(text: string): Json {
  if (!/^\s*[[{]/.test(text)) return null;
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

/** Whatever a tool threw, as one of ours: what went wrong on the way keeps its own code. */
function toolError(thrown: unknown, name: string, signal: AbortSignal): unknown {
  if (signal.aborted) return signal.reason;
  for (let error = thrown; error instanceof Error; error = error.cause) if (error instanceof SignalboxError) return error;
  const message = (thrown instanceof Error ? thrown.message : String(thrown)).slice(0, 1_000);
  if (thrown instanceof Error && thrown.name === "TimeoutError") {
    return new SignalboxError("STEP_TIMEOUT", `The tool "${name}" did not answer in time.`, {
      details: { code: "TIMEOUT", tool: name },
      cause: thrown,
    });
  }
  const isInput = thrown instanceof Error && thrown.constructor.name === "ToolInputParsingException";
  const details = isInput ? { tool: name, happened: false } : { code: "TOOL_ERROR", tool: name };
  return new SignalboxError(isInput ? "INVALID_INPUT" : "STEP_FAILED", message || `The tool "${name}" failed.`, { details, cause: thrown });
}
