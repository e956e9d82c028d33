import type { BaseMessageLike } from "@langchain/core/messages";
import type { Json, JsonObject } from "../definition/json.ts";

/** Model calls as steps see them: budget checked before, usage recorded after, tokens published while they come. */
export interface ModelCalls {
  /** MODEL_FAILED, MODEL_NOT_CONFIGURED, BUDGET_EXCEEDED or STEP_TIMEOUT where there is no answer. */
  complete(request: ModelRequest): Promise<ModelReply>;
}

export interface ModelRequest {
  /** `provider:model`, or "default". */
  model: string;
  messages: BaseMessageLike[];
  /** Answer as JSON of this JSON Schema. */
  schema?: { name: string; schema: JsonObject } | undefined;
  /** What the model may call instead of answering. */
  tools?: readonly ModelTool[] | undefined;
  temperature?: number | undefined;
  maxTokens?: number | undefined;
  /** Publishes pieces of the answer as transient token events. */
  stream?: boolean | undefined;
  signal: AbortSignal;
  /** Longest time of the call, milliseconds; 60,000 unless told. STEP_TIMEOUT after it, and a later answer is ignored. */
  timeoutMs?: number | undefined;
  /** Waits this long before it calls (a provider's Retry-After), milliseconds; counts against `timeoutMs`. */
  delayMs?: number | undefined;
  /** W3C trace context of the visit that asks, sent along to endpoints that speak HTTP. */
  traceparent?: string | undefined;
  /** The policy's models; any other one is refused without a call. */
  allowedModels?: readonly string[] | undefined;
  /**
   * For the scripted model only: what a decision is about. `otherwise` is the option taken where no word of the state is found in
   * any option.
   */
  offline?: { options: { id: string; description: string }[]; state: Json; otherwise?: string | undefined } | undefined;
}

/** A tool as a model sees it. */
export interface ModelTool {
  /** Letters, digits, `_` and `-`, 64 at most. */
  name: string;
  description: string;
  /** JSON Schema of the arguments. */
  schema: JsonObject;
}

/** A call a model asks for. */
export interface ModelToolCall {
  id: string;
  name: string;
  /** Null where what it wrote is no JSON object. */
  args: JsonObject | null;
}

export interface ModelReply {
  /** The answer's text, as the model gave it. */
  text: string;
  /** `provider:model` that answered. */
  model: string;
  /** True when the scripted, keyless model answered. */
  offline: boolean;
  finishReason: string | null;
  refusal: string | null;
  /** What the model wants called instead of answering, in order; also where it was given no tools. */
  calls: ModelToolCall[];
  tokensIn: number;
  tokensOut: number;
  costUsd: number;
  latencyMs: number;
}
