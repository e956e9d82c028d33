import type { CallbackManagerForLLMRun } from "@langchain/core/callbacks/manager";
import { BaseChatModel, type BaseChatModelCallOptions } from "@langchain/core/language_models/chat_models";
import { AIMessage, AIMessageChunk, type BaseMessage } from "@langchain/core/messages";
import { ChatGenerationChunk, type ChatResult } from "@langchain/core/outputs";
import type { JsonObject } from "../definition/json.ts";
import { extractOf } from "./extract.ts";
import type { ModelRequest } from "./model-call.ts";
import { valueFromWords } from "./value-from-words.ts";
import { chooseByWords, textOf } from "./words.ts";

const CHARACTERS_PER_TOKEN = 4;
const MATCHES_TOLD = 6;

/** What a script is asked. */
export interface ScriptRequest {
  messages: BaseMessage[];
  /** The last user message. */
  text: string;
  schema: JsonObject | undefined;
  offline: ModelRequest["offline"];
  /** 1 for the script's first call. */
  call: number;
  signal: AbortSignal | undefined;
}

/** What a script answers: a text, or anything an endpoint may do instead. */
export type ScriptReply =
  | string
  | {
      text?: string;
      refusal?: string;
      finishReason?: string;
      toolCalls?: { name: string; args?: JsonObject }[];
      usage?: { in: number; out: number };
      /** Never answers; ends when the call is aborted. */
      hang?: true;
      /** Fails as an HTTP client would. */
      fail?: { status?: number; code?: string; retryAfterSeconds?: number };
    };

/** A list is answered in order, its last entry for ever. */
export type Script = readonly ScriptReply[] | ((request: ScriptRequest) => ScriptReply | Promise<ScriptReply>);

type Said = Exclude<ScriptReply, string>;

interface ScriptedCallOptions extends BaseChatModelCallOptions {
  response_format?: { json_schema?: { schema?: JsonObject } };
  offline?: ModelRequest["offline"];
}

/**
 * A chat model without a model: deterministic, keyless, and usable on any input. It decides by the words a state shares with the
 * options, answers prompts with an extract of them, and fills a JSON Schema from the words it is given. Every answer says
 * `response_metadata.offline`. Told a script, it says that instead.
 */
export class ScriptedChatModel extends BaseChatModel<ScriptedCallOptions> {
  readonly model: string;
  readonly #script: Script;
  #calls = 0;

  constructor({ name = "offline", script = answerOffline }: { name?: string; script?: Script } = {}) {
    super({});
    this.model = name;
    this.#script = script;
  }

  override get callKeys(): string[] {
    return [...super.callKeys, "response_format", "offline"];
  }

  override _llmType(): string {
    return "scripted";
  }

  /** Accepts tools and never calls one. */
  override bindTools(): this {
    return this;
  }

  override async _generate(messages: BaseMessage[], options: this["ParsedCallOptions"]): Promise<ChatResult> {
    const said = await this.#say(messages, options);
    const message = Object.assign(new AIMessage(said.text ?? ""), this.#markings(messages, said));
    return { generations: [{ text: said.text ?? "", message, generationInfo: {} }] };
  }

  override async *_streamResponseChunks(
    messages: BaseMessage[],
    options: this["ParsedCallOptions"],
    runManager?: CallbackManagerForLLMRun,
  ): AsyncGenerator<ChatGenerationChunk> {
    const said = await this.#say(messages, options);
    for (const text of (said.text ?? "").match(/\S*\s*/g) ?? []) {
      if (text === "") continue;
      yield new ChatGenerationChunk({ text, message: new AIMessageChunk({ content: text }) });
      await runManager?.handleLLMNewToken(text);
    }
    const { tool_calls, ...markings } = this.#markings(messages, said);
    const last = new AIMessageChunk({
      content: "",
      tool_call_chunks: tool_calls.map(({ name, args, id }, index) => ({
        name,
        args: JSON.stringify(args),
        id,
        index,
        type: "tool_call_chunk",
      })),
    });
    yield new ChatGenerationChunk({ text: "", message: Object.assign(last, markings) });
  }

  async #say(messages: BaseMessage[], options: this["ParsedCallOptions"]): Promise<Said> {
    this.#calls += 1;
    const call = this.#calls;
    const text = messages.findLast((message) => message.type === "human")?.text ?? messages.at(-1)?.text ?? "";
    const schema = options.response_format?.json_schema?.schema;
    const script = this.#script;
    const reply =
      typeof script === "function"
        ? await script({ messages, text, schema, offline: options.offline, call, signal: options.signal })
        : (script[Math.min(call, script.length) - 1] ?? "");
    const said = typeof reply === "string" ? { text: reply } : reply;
    if (said.hang) await new Promise((_resolve, reject) => options.signal?.addEventListener("abort", () => reject(options.signal?.reason)));
    if (said.fail) throw failure(said.fail);
    return said;
  }

  #markings(messages: BaseMessage[], said: Said) {
    const additional_kwargs: Record<string, unknown> = said.refusal === undefined ? {} : { refusal: said.refusal };
    const tokensIn = said.usage?.in ?? Math.ceil(messages.reduce((sum, { text }) => sum + text.length, 0) / CHARACTERS_PER_TOKEN);
    const tokensOut = said.usage?.out ?? Math.ceil((said.text ?? "").length / CHARACTERS_PER_TOKEN);
    return {
      response_metadata: {
        model_name: this.model,
        offline: true,
        finish_reason: said.finishReason ?? (said.toolCalls ? "tool_calls" : "stop"),
      },
      additional_kwargs,
      usage_metadata: { input_tokens: tokensIn, output_tokens: tokensOut, total_tokens: tokensIn + tokensOut },
      tool_calls: (said.toolCalls ?? []).map(({ name, args = {} }, index) => ({
        name,
        args,
        id: `call_${index}`,
        type: "tool_call" as const,
      })),
    };
  }
}

/** The script of `scripted:offline`. */
function answerOffline({ text, schema, offline }: ScriptRequest): string {
  if (!schema) return extractOf(text) || "(There was no text to extract from.)";
  const value = valueFromWords(schema, text);
  if (!offline || typeof value !== "object" || value === null || Array.isArray(value)) return JSON.stringify(value);
  const { id, confidence, rationale } = decideOffline(offline);
  return JSON.stringify({ ...value, choice: id, confidence, rationale, ...("event" in value && { event: null }) });
}

function decideOffline({ options, state, otherwise }: NonNullable<ModelRequest["offline"]>): {
  id: string;
  confidence: number;
  rationale: string;
} {
  const { index, confidence, matched } = chooseByWords(
    textOf(state),
    options.map(({ description }) => description),
  );
  if (matched.length > 0) {
    const words = matched
      .slice(0, MATCHES_TOLD)
      .map((word) => `"${word}"`)
      .join(", ");
    return { id: options[index]?.id ?? "", confidence, rationale: `Offline, by matching words: ${words}.` };
  }
  const taken = options.find(({ id }) => id === otherwise) ?? options[0];
  const which = taken?.id === otherwise ? "the option for everything else" : "the first option";
  return { id: taken?.id ?? "", confidence: 0, rationale: `Offline, no word of the state appears in any option: took ${which}.` };
}

function failure({ status, code, retryAfterSeconds }: NonNullable<Said["fail"]>): Error {
  const headers = retryAfterSeconds === undefined ? {} : { "retry-after": String(retryAfterSeconds) };
  return Object.assign(new Error("The script fails here."), { status, code, headers });
}
