import type { BaseMessageLike } from "@langchain/core/messages";
import type { ModelReply } from "../ai/model-call.ts";
import { compileInputSchema } from "../definition/input-schema.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { MemoryConfig, RememberedMessage } from "../definition/memory.ts";
import type { Remember } from "./step.ts";

const MAX_QUOTED_ANSWER = 8_000;
const MAX_PROBLEMS_TOLD = 5;

/** `${ vars.order }` may be an object; a model reads text. */
export function messageText(content: Json): string {
  return typeof content === "string" ? content : JSON.stringify(content, null, 2);
}

/** What a conversation gains by a step: what was asked, and what came of it. */
export function rememberExchange(memory: MemoryConfig, asked: Json, answer: string): Remember {
  const messages: RememberedMessage[] = [
    { role: "user", content: messageText(asked) },
    { role: "assistant", content: answer },
  ];
  return { memory, messages };
}

/** The answer as JSON of the schema, or what is wrong with it, for the model to read. */
export function readJson({ text }: Pick<ModelReply, "text">, schema: JsonObject): { json: Json } | { problem: string } {
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch {
    return { problem: "It is not JSON; write no prose and no code fence around it." };
  }
  // Ajv takes any JSON; the type names its first user, the input of an execution.
  const issues = compileInputSchema(schema)(json as JsonObject);
  if (issues.length === 0) return { json };
  return {
    problem: issues
      .slice(0, MAX_PROBLEMS_TOLD)
      .map(({ pointer, message }) => `${pointer.replace(/^\/input/, "") || "/"}: ${message}`)
      .join("; "),
  };
}

/** The answer and what is wrong with it, as the messages that ask once more. */
export function complaint({ text }: Pick<ModelReply, "text">, problem: string): BaseMessageLike[] {
  return [
    ["assistant", text.slice(0, MAX_QUOTED_ANSWER).toWellFormed() || "(empty)"],
    ["user", `That answer cannot be used. ${problem} Answer again with JSON of the schema and nothing else.`],
  ];
}
