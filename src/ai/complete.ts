import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { AIMessage, AIMessageChunk, BaseMessageLike } from "@langchain/core/messages";
import type { JsonObject } from "../definition/json.ts";
import type { Clock } from "../ports/clock.ts";
import { MAX_ANSWER_BYTES, tooLarge } from "./endpoint.ts";
import { abortedError, classifyModelError, modelError, networkError } from "./failure.ts";
import type { ModelReply, ModelRequest, ModelTool, ModelToolCall } from "./model-call.ts";
import { costUsd, type Price } from "./prices.ts";

const DEFAULT_TIMEOUT_MS = 60_000;
/** Roughly, for endpoints that tell no usage: a budget must not be blind to them. */
const CHARACTERS_PER_TOKEN = 4;

/** A chat model under its `provider:model` name. */
export interface ModelHandle {
  reference: string;
  chat: BaseChatModel;
  /** True: keyless and deterministic. */
  offline: boolean;
  /** How it is told the schema of an answer: by OpenAI's `response_format`, or in words. */
  schemaBy: "response_format" | "words";
}

export interface CompleteOptions {
  clock: Clock;
  prices?: Readonly<Record<string, Price>> | undefined;
  /** Called with every piece of a streamed answer, in order; never after the call ended. */
  onPiece?: ((text: string) => void) | undefined;
}

/** What a model said, before it is measured. */
interface Answer {
  text: string;
  finishReason: string | null;
  refusal: string | null;
  calls: ModelToolCall[];
  usage: { input_tokens: number; output_tokens: number } | undefined;
}

/**
 * Makes one call of one model: no retry here or below, and never longer than `timeoutMs`, even where the model ignores its signal.
 * Whatever the model answers in its protocol is a reply, refusals and tool calls included, because it was paid for; see `replyFault`.
 * Throws MODEL_FAILED (`details.kind` says how, `retryAfterMs` when), STEP_TIMEOUT, MODEL_NOT_CONFIGURED, or the reason of `signal`.
 */
export async function complete(handle: ModelHandle, request: ModelRequest, options: CompleteOptions): Promise<ModelReply> {
  const { clock } = options;
  const { timeoutMs = DEFAULT_TIMEOUT_MS } = request;
  if (request.signal.aborted) throw abortedError(request.signal);
  const deadline = new AbortController();
  const cancelDeadline = clock.after(timeoutMs, () => {
    deadline.abort(
      modelError("timeout", `${handle.reference} did not answer within ${timeoutMs} ms.`, {
        code: "STEP_TIMEOUT",
        model: handle.reference,
        timeoutMs,
      }),
    );
  });
  const signal = AbortSignal.any([request.signal, deadline.signal]);
  try {
    if (request.delayMs) await pause(clock, request.delayMs, signal);
    const startedAt = clock.now();
    const answer = await untilAborted(signal, ask(handle, request, signal, options.onPiece));
    return measured(answer, handle, request, clock.now() - startedAt, options.prices);
  } catch (error) {
    throw signal.aborted ? abortedError(signal) : classifyModelError(error, handle.reference, clock.now());
  } finally {
    cancelDeadline();
  }
}

async function ask(handle: ModelHandle, request: ModelRequest, signal: AbortSignal, onPiece: CompleteOptions["onPiece"]): Promise<Answer> {
  const { chat } = handle;
  const settings = {
    ...(request.temperature !== undefined && { temperature: request.temperature }),
    ...(request.maxTokens !== undefined && { maxTokens: request.maxTokens }),
  };
  const callOptions = {
    signal,
    // LangChain's registry takes them as configuration, our own models as options of the call.
    ...(handle.schemaBy === "words" ? { configurable: settings } : settings),
    ...(request.schema && handle.schemaBy === "response_format" && { response_format: responseFormat(request.schema) }),
    ...(request.offline && { offline: request.offline }),
    ...(request.traceparent !== undefined &&
      handle.schemaBy === "response_format" && { options: { headers: { traceparent: request.traceparent } } }),
  };
  const messages = request.schema && handle.schemaBy === "words" ? [...request.messages, schemaInWords(request.schema)] : request.messages;
  const model = request.tools && request.tools.length > 0 ? withTools(handle, request.tools) : chat;
  if (!request.stream || !onPiece) return whole(handle, await model.invoke(messages, callOptions));
  return streamed(handle, await model.stream(messages, callOptions), (text) => {
    if (!signal.aborted) onPiece(text);
  });
}

function withTools({ chat, reference }: ModelHandle, tools: readonly ModelTool[]) {
  if (!chat.bindTools)
    throw modelError("not_configured", `${reference} cannot call tools.`, { code: "MODEL_NOT_CONFIGURED", model: reference });
  const bound = tools.map(({ name, description, schema }) => ({
    type: "function" as const,
    function: { name, description, parameters: schema },
  }));
  return chat.bindTools(bound);
}

function callsOf({ tool_calls = [], invalid_tool_calls = [] }: AIMessage | AIMessageChunk): ModelToolCall[] {
  const good = tool_calls.map(({ id, name, args }, index) => ({ id: id ?? `call_${index}`, name, args: args as JsonObject }));
  const bad = invalid_tool_calls.map(({ id, name }, index) => ({ id: id ?? `bad_${index}`, name: name ?? "", args: null }));
  return [...good, ...bad];
}

/** By the pieces' text: LangChain reads half an object as a whole one. */
function callsOfPieces({ tool_call_chunks = [] }: AIMessageChunk): ModelToolCall[] {
  return tool_call_chunks.map(({ id, name, args }, index) => ({ id: id ?? `call_${index}`, name: name ?? "", args: objectIn(args) }));
}

function objectIn(text: string | undefined): JsonObject | null {
  try {
    const value: unknown = JSON.parse(text === undefined || text === "" ? "{}" : text);
    return typeof value === "object" && !Array.isArray(value) ? (value as JsonObject | null) : null;
  } catch {
    return null;
  }
}

function whole({ reference }: ModelHandle, message: AIMessage): Answer {
  const { text } = message;
  if (Buffer.byteLength(text) > MAX_ANSWER_BYTES) throw tooLarge(reference, MAX_ANSWER_BYTES);
  return {
    text,
    finishReason: finishReasonOf(message),
    refusal: refusalOf(message),
    calls: callsOf(message),
    usage: message.usage_metadata,
  };
}

async function streamed(
  { reference, schemaBy }: ModelHandle,
  chunks: AsyncIterable<AIMessageChunk>,
  onPiece: (text: string) => void,
): Promise<Answer> {
  const answer: Answer = { text: "", finishReason: null, refusal: null, calls: [], usage: undefined };
  /** The chunks that bring tool calls, joined: a call comes in many pieces. */
  let calling: AIMessageChunk | undefined;
  let bytes = 0;
  for await (const chunk of chunks) {
    const piece = chunk.text;
    const pieces = chunk.tool_call_chunks ?? [];
    bytes += Buffer.byteLength(piece) + pieces.reduce((sum, { args = "" }) => sum + Buffer.byteLength(args), 0);
    if (bytes > MAX_ANSWER_BYTES) throw tooLarge(reference, MAX_ANSWER_BYTES);
    answer.text += piece;
    answer.finishReason = finishReasonOf(chunk) ?? answer.finishReason;
    const refusal = refusalOf(chunk);
    if (refusal !== null) answer.refusal = (answer.refusal ?? "") + refusal;
    if (pieces.length > 0) calling = calling ? calling.concat(chunk) : chunk;
    answer.usage = chunk.usage_metadata ?? answer.usage;
    if (piece !== "") onPiece(piece);
  }
  // OpenAI's protocol ends every answer with a reason; without one the connection ended first and the text is cut.
  if (answer.finishReason === null && schemaBy === "response_format") throw networkError(reference, "the stream ended early", undefined);
  return { ...answer, calls: calling ? callsOfPieces(calling) : [] };
}

function finishReasonOf({ response_metadata: metadata }: AIMessage | AIMessageChunk): string | null {
  const reason: unknown = metadata["finish_reason"] ?? metadata["stop_reason"] ?? metadata["finishReason"];
  if (typeof reason !== "string") return null;
  // Anthropic's word for it.
  return reason === "max_tokens" || reason === "MAX_TOKENS" ? "length" : reason;
}

function refusalOf(message: AIMessage | AIMessageChunk): string | null {
  const refusal: unknown = message.additional_kwargs["refusal"];
  return typeof refusal === "string" && refusal !== "" ? refusal : null;
}

function measured(
  answer: Answer,
  handle: ModelHandle,
  request: ModelRequest,
  latencyMs: number,
  prices: CompleteOptions["prices"],
): ModelReply {
  const { usage, ...said } = answer;
  const tokensIn = usage?.input_tokens ?? Math.ceil(JSON.stringify(request.messages).length / CHARACTERS_PER_TOKEN);
  const tokensOut = usage?.output_tokens ?? Math.ceil(said.text.length / CHARACTERS_PER_TOKEN);
  const { reference: model, offline } = handle;
  return {
    ...said,
    model,
    offline,
    tokensIn,
    tokensOut,
    costUsd: offline ? 0 : costUsd(model, { tokensIn, tokensOut }, prices),
    latencyMs,
  };
}

function responseFormat({ name, schema }: NonNullable<ModelRequest["schema"]>): JsonObject {
  return { type: "json_schema", json_schema: { name, schema, strict: isStrict(schema) } };
}

/** OpenAI's strict mode takes only schemas whose objects are closed and whose properties are all required; it answers 400 to others. */
function isStrict(schema: unknown): boolean {
  if (Array.isArray(schema)) return schema.every(isStrict);
  if (typeof schema !== "object" || schema === null) return true;
  const { type, properties, required, additionalProperties } = schema as JsonObject;
  if (type === "object" || properties !== undefined) {
    const names = Object.keys((properties as JsonObject | undefined) ?? {});
    if (additionalProperties !== false || !names.every((name) => Array.isArray(required) && required.includes(name))) return false;
  }
  return Object.values(schema).every(isStrict);
}

function schemaInWords({ schema }: NonNullable<ModelRequest["schema"]>): BaseMessageLike {
  return ["user", `Answer with one JSON value of this JSON Schema and nothing else, no code fence:\n${JSON.stringify(schema)}`];
}

async function pause(clock: Clock, ms: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const cancel = clock.after(ms, resolve);
  await untilAborted(signal, promise).finally(cancel);
}

/** The result, or a rejection as soon as the signal aborts: a model that ignores it is left behind, and its late answer with it. */
async function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  // Whoever loses the race may still reject, and nobody would hear it.
  work.catch(() => undefined);
  try {
    return await Promise.race([work, promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
