import type { BaseMessageLike } from "@langchain/core/messages";
import { z } from "zod";
import { modelError, replyFault } from "../ai/failure.ts";
import type { ModelReply } from "../ai/model-call.ts";
import { ModelReference } from "../ai/model-reference.ts";
import { Duration, durationMs } from "../definition/duration.ts";
import { inputSchemaIssues } from "../definition/input-schema.ts";
import { JsonRecord, JsonValue, type JsonObject } from "../definition/json.ts";
import { MemoryConfig, type RememberedMessage } from "../definition/memory.ts";
import { complaint, messageText, readJson, rememberExchange } from "./model-json.ts";
import { defineStep, type Remember, type StepContext, type StepResult } from "./step.ts";

const Config = z.strictObject({
  model: ModelReference.default("default").describe("`provider:model`, or `default`"),
  prompt: JsonValue.optional().describe("The user message; what is no text is sent as JSON"),
  system: JsonValue.optional().describe("The system message"),
  messages: z
    .array(z.strictObject({ role: z.enum(["system", "user", "assistant"]), content: JsonValue }))
    .max(200)
    .optional()
    .describe("A conversation, between `system` and `prompt`"),
  memory: MemoryConfig.optional(),
  responseSchema: JsonRecord.optional().describe("JSON Schema of the answer; the output then has `json`"),
  temperature: z.number().min(0).max(2).optional(),
  maxTokens: z.number().int().min(1).max(1_000_000).optional(),
  stream: z.boolean().default(true).describe("Publish the answer's pieces while they come"),
  timeout: Duration.optional().describe("For one call; 60s unless told"),
});
type PromptConfig = z.infer<typeof Config>;

export default defineStep({
  type: "prompt",
  aliases: ["prompt_execution"],
  title: "Prompt",
  description: "Asks a model for a text, or for JSON of a schema.",
  group: "AI",
  config: Config,
  literal: ["/responseSchema"],
  check({ prompt, messages = [], responseSchema }) {
    const schemaIssues = inputSchemaIssues(responseSchema).map((issue) => ({
      ...issue,
      pointer: issue.pointer.replace(/^\/input/, "/config/responseSchema"),
    }));
    if (prompt !== undefined || messages.length > 0) return schemaIssues;
    return [
      { code: "MISSING_FIELD", pointer: "/config/prompt", message: "There is nothing to ask.", hint: "Write prompt, or messages." },
      ...schemaIssues,
    ];
  },

  async run(context) {
    const { responseSchema, memory } = context.config;
    const before = memory ? await context.recall(memory) : [];
    const messages = messagesOf(context.config, before);
    const done = (said: ModelReply, output: JsonObject): StepResult => ({ kind: "done", output, remember: exchange(context.config, said) });
    const reply = await ask(context, messages);
    if (!responseSchema) return done(reply, outputOf(reply, usageOf(reply)));

    const answer = readJson(reply, responseSchema);
    if ("json" in answer) return done(reply, { ...outputOf(reply, usageOf(reply)), json: answer.json });
    context.log("The answer does not fit its schema; asking once more.", { model: reply.model });
    const repaired = await ask(context, [...messages, ...complaint(reply, answer.problem)]);
    const second = readJson(repaired, responseSchema);
    if ("json" in second) return done(repaired, { ...outputOf(repaired, usageOf(reply, repaired)), json: second.json });
    throw modelError("invalid", `${repaired.model} gave no answer that fits the schema: ${second.problem}`, { model: repaired.model });
  },
});

/** What is remembered: what was asked last, and the answer. */
function exchange({ memory, prompt, messages = [] }: PromptConfig, reply: ModelReply): Remember | undefined {
  const asked = prompt ?? messages.findLast(({ role }) => role === "user")?.content;
  return memory && asked !== undefined ? rememberExchange(memory, asked, reply.text) : undefined;
}

function messagesOf({ system, messages = [], prompt }: PromptConfig, before: readonly RememberedMessage[]): BaseMessageLike[] {
  return [
    ...(system === undefined ? [] : [["system", messageText(system)] as const]),
    ...messages.map(({ role, content }) => [role, messageText(content)] as const),
    ...before.map(({ role, content }) => [role, content] as const),
    ...(prompt === undefined ? [] : [["user", messageText(prompt)] as const]),
  ].map(([role, content]): BaseMessageLike => [role, content]);
}

async function ask({ config, policy, models, signal }: StepContext<PromptConfig>, messages: BaseMessageLike[]): Promise<ModelReply> {
  const { model, responseSchema, temperature, maxTokens, stream, timeout } = config;
  const reply = await models.complete({
    model,
    messages,
    schema: responseSchema && { name: "answer", schema: responseSchema },
    temperature,
    maxTokens,
    stream,
    timeoutMs: timeout === undefined ? undefined : durationMs(timeout),
    allowedModels: policy?.allowedModels,
    signal,
  });
  const fault = replyFault(reply);
  // A text that was cut may still be of use, and the output says that it was; JSON that was cut is none.
  if (fault && (fault.kind !== "length" || responseSchema)) throw modelError(fault.kind, fault.message, { model: reply.model });
  if (!responseSchema && reply.text.trim() === "")
    throw modelError("invalid", `${reply.model} answered with an empty text.`, { model: reply.model });
  return reply;
}

function usageOf(...replies: ModelReply[]): { tokensIn: number; tokensOut: number } {
  return {
    tokensIn: replies.reduce((sum, { tokensIn }) => sum + tokensIn, 0),
    tokensOut: replies.reduce((sum, { tokensOut }) => sum + tokensOut, 0),
  };
}

function outputOf({ text, model, offline, finishReason }: ModelReply, usage: { tokensIn: number; tokensOut: number }): JsonObject {
  return { text, model, offline, finishReason, ...usage };
}
