import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import { AIMessage, AIMessageChunk } from "@langchain/core/messages";
import { ChatOpenAICompletions, type OpenAIClient } from "@langchain/openai";
import { createEndpointFetch } from "./endpoint.ts";

/** Our deadline is always shorter; the client's own would end a long one early. */
const NO_TIMEOUT_MS = 2_147_483_647;

type Streaming = OpenAIClient.Chat.ChatCompletionCreateParamsStreaming;
type Whole = OpenAIClient.Chat.ChatCompletionCreateParamsNonStreaming;
type Chunks = AsyncIterable<OpenAIClient.Chat.Completions.ChatCompletionChunk>;

/**
 * LangChain's chat model for OpenAI's protocol, with what it keeps to itself given back: the raw text of a structured answer (its
 * `parse` throws it away when it is no JSON) and the refusal. Temperature and token limit are options of the call, so that one
 * instance serves every step.
 */
class OpenAIChat extends ChatOpenAICompletions {
  override invocationParams(options?: this["ParsedCallOptions"], extra?: { streaming?: boolean }) {
    const parameters = super.invocationParams(options, extra);
    const { temperature, maxTokens } = (options ?? {}) as { temperature?: number; maxTokens?: number };
    // Models that reason take no temperature, and count their reasoning against another limit.
    if ("max_completion_tokens" in parameters)
      return { ...parameters, ...(maxTokens !== undefined && { max_completion_tokens: maxTokens }) };
    return { ...parameters, ...(temperature !== undefined && { temperature }), ...(maxTokens !== undefined && { max_tokens: maxTokens }) };
  }

  override completionWithRetry(request: Streaming, options?: OpenAIClient.RequestOptions): Promise<Chunks>;
  override completionWithRetry(request: Whole, options?: OpenAIClient.RequestOptions): Promise<OpenAIClient.Chat.ChatCompletion>;
  override async completionWithRetry(request: Streaming | Whole, options?: OpenAIClient.RequestOptions): Promise<unknown> {
    // Makes the client on first use. Its result repeats the client's own settings, which need not travel with every request.
    this._getClientOptions(undefined);
    return await this.client.chat.completions.create(request, { signal: options?.signal, headers: headersOf(options) });
  }

  protected override _convertCompletionsMessageToBaseMessage(
    ...[message, raw]: Parameters<ChatOpenAICompletions["_convertCompletionsMessageToBaseMessage"]>
  ) {
    const converted = super._convertCompletionsMessageToBaseMessage(message, raw);
    if (converted instanceof AIMessage && message.refusal) converted.additional_kwargs["refusal"] = message.refusal;
    return converted;
  }

  protected override _convertCompletionsDeltaToBaseMessageChunk(
    ...[delta, raw, role]: Parameters<ChatOpenAICompletions["_convertCompletionsDeltaToBaseMessageChunk"]>
  ) {
    const converted = super._convertCompletionsDeltaToBaseMessageChunk(delta, raw, role ?? "assistant");
    if (converted instanceof AIMessageChunk && delta["refusal"]) converted.additional_kwargs["refusal"] = delta["refusal"];
    return converted;
  }
}

/** LangChain hands over a call's own options as they are where it streams, and opened where it does not. */
function headersOf(options: (OpenAIClient.RequestOptions & { options?: OpenAIClient.RequestOptions }) | undefined) {
  return options?.headers ?? options?.options?.headers;
}

/** A chat model behind an endpoint that speaks OpenAI's protocol. Never retries; never waits longer than its caller. */
export function createOpenAIChat(options: {
  reference: string;
  model: string;
  baseUrl: string;
  apiKey: string | undefined;
}): BaseChatModel {
  return new OpenAIChat({
    model: options.model,
    // The client insists on a key; endpoints without one ignore it.
    apiKey: options.apiKey ?? "none",
    maxRetries: 0,
    timeout: NO_TIMEOUT_MS,
    configuration: { baseURL: options.baseUrl, fetch: createEndpointFetch(options.reference), logLevel: "off" },
  });
}
