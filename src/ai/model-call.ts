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
  temperature?: number | undefined;
  maxTokens?: number | undefined;
  /** Publishes pieces of the answer as transient token events. */
  stream?: boolean | undefined;
  signal: AbortSignal;
  /** For the scripted model only: options of a decision, the text of a prompt. */
  offline?: { options?: { id: string; description: string }[]; state?: Json } | undefined;
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
  /** Names of tools the model tried to call instead of answering. */
  toolCalls: string[];
  tokensIn: number;
  tokensOut: number;
  costUsd: number;
  latencyMs: number;
}
