import type { BaseChatModel } from "@langchain/core/language_models/chat_models";
import type { Circuit, CircuitChange } from "../circuit/circuit.ts";
import { systemClock, type Clock } from "../ports/clock.ts";
import { createModelCircuit } from "./circuit.ts";
import { complete, type ModelHandle } from "./complete.ts";
import { modelError } from "./failure.ts";
import type { ModelReply, ModelRequest } from "./model-call.ts";
import type { Price } from "./prices.ts";
import type { Script } from "./scripted.ts";

/** Keyless and deterministic: what `default` means unless told. */
export const OFFLINE_MODEL = "scripted:offline";

/** Endpoints that speak OpenAI's protocol. One without a key has its address here; the address may be replaced by an option. */
const ENDPOINTS = {
  openai: { baseUrl: "https://api.openai.com/v1", needsKey: true },
  ollama: { baseUrl: "http://127.0.0.1:11434/v1", needsKey: false },
  vllm: { baseUrl: "http://127.0.0.1:8000/v1", needsKey: false },
} as const;
type EndpointName = keyof typeof ENDPOINTS;

export interface Endpoint {
  apiKey?: string | undefined;
  /** Another address that speaks the same protocol; then a key is optional. */
  baseUrl?: string | undefined;
}

export interface ModelsOptions extends Partial<Record<EndpointName, Endpoint | undefined>> {
  /** What `default` means, as `provider:model`. */
  default?: string | undefined;
  /** Programs of `scripted:<name>` beside `scripted:offline`. */
  scripts?: Readonly<Record<string, Script>> | undefined;
  /** US dollars per million tokens by `provider:model`, over the built-in list. */
  prices?: Readonly<Record<string, Price>> | undefined;
  clock?: Clock | undefined;
  /** Told when a model's circuit opens, is tried or closes. */
  onCircuit?: ((model: string, change: CircuitChange) => void) | undefined;
  /** How optional packages are loaded. */
  importPackage?: ((name: string) => Promise<unknown>) | undefined;
}

/** Every model this process can call. */
export interface Models {
  /** What `default` means. */
  readonly default: string;
  /** The chat model of a reference, made once. MODEL_NOT_CONFIGURED tells what is missing. */
  resolve(reference: string): Promise<ModelHandle>;
  /** One call, as `complete` makes it, behind the model's circuit breaker. */
  complete(request: ModelRequest, listener?: { onPiece?: (text: string) => void }): Promise<ModelReply>;
}

/** The models of a process. Providers are loaded when first used: LangChain's client alone costs 170 ms of a cold start. */
export function createModels(options: ModelsOptions = {}): Models {
  const { clock = systemClock, prices } = options;
  const defaultReference = options.default ?? OFFLINE_MODEL;
  const handles = new Map<string, Promise<ModelHandle>>();
  const circuits = new Map<string, Circuit>();

  function resolve(reference: string): Promise<ModelHandle> {
    const resolved = reference === "default" ? defaultReference : reference;
    const known = handles.get(resolved);
    if (known) return known;
    const made = makeHandle(resolved, options);
    handles.set(resolved, made);
    // A package may be installed, or a script fixed, before the next try.
    made.catch(() => handles.delete(resolved));
    return made;
  }

  function circuitOf(model: string): Circuit {
    const circuit = circuits.get(model) ?? createModelCircuit(model, clock, (change) => options.onCircuit?.(model, change));
    circuits.set(model, circuit);
    return circuit;
  }

  return {
    default: defaultReference,
    resolve,
    async complete(request, { onPiece } = {}) {
      const handle = await resolve(request.model);
      const { allowedModels } = request;
      if (allowedModels && !allowedModels.includes(handle.reference) && !allowedModels.includes(request.model)) {
        throw modelError("not_allowed", `The policy does not allow the model ${handle.reference}.`, {
          code: "MODEL_NOT_CONFIGURED",
          model: handle.reference,
        });
      }
      const call = () => complete(handle, request, { clock, prices, onPiece });
      return handle.offline ? call() : circuitOf(handle.reference).through(call);
    },
  };
}

async function makeHandle(reference: string, options: ModelsOptions): Promise<ModelHandle> {
  const [, provider, model] = /^([a-z][a-z0-9_-]*):(.+)$/s.exec(reference) ?? [];
  if (provider === undefined || model === undefined) {
    throw notConfigured(
      reference,
      `"${reference.slice(0, 100)}" names no model; write provider:model, such as openai:gpt-4o-mini or ${OFFLINE_MODEL}.`,
    );
  }
  if (provider === "scripted")
    return { reference, chat: await scripted(reference, model, options.scripts ?? {}), offline: true, schemaBy: "response_format" };
  if (isEndpoint(provider)) {
    const { baseUrl, needsKey } = ENDPOINTS[provider];
    const given = options[provider] ?? {};
    if (needsKey && given.apiKey === undefined && given.baseUrl === undefined) {
      throw notConfigured(reference, `${reference} needs a key: set OPENAI_API_KEY, or OPENAI_BASE_URL for an endpoint without one.`);
    }
    const { createOpenAIChat } = await import("./openai-chat.ts");
    const chat = createOpenAIChat({ reference, model, baseUrl: given.baseUrl ?? baseUrl, apiKey: given.apiKey });
    return { reference, chat, offline: false, schemaBy: "response_format" };
  }
  return { reference, chat: await fromLangChain(reference, provider, model, options), offline: false, schemaBy: "words" };
}

function isEndpoint(provider: string): provider is EndpointName {
  return Object.hasOwn(ENDPOINTS, provider);
}

async function scripted(reference: string, name: string, scripts: Readonly<Record<string, Script>>): Promise<BaseChatModel> {
  const { ScriptedChatModel } = await import("./scripted.ts");
  if (Object.hasOwn(scripts, name)) return new ScriptedChatModel({ name, script: scripts[name] ?? [] });
  if (reference === OFFLINE_MODEL) return new ScriptedChatModel({ name });
  throw notConfigured(reference, `There is no script "${name.slice(0, 100)}"; ${OFFLINE_MODEL} is always there.`);
}

/** LangChain's own registry of providers, where it is installed; each provider is a further package. */
async function fromLangChain(reference: string, provider: string, model: string, options: ModelsOptions): Promise<BaseChatModel> {
  const load = options.importPackage ?? ((name: string): Promise<unknown> => import(name));
  let langchain: { initChatModel(model: string, fields: object): Promise<BaseChatModel> };
  try {
    // The package is optional, so its type cannot be imported.
    langchain = (await load("langchain")) as typeof langchain;
  } catch (cause) {
    const message = `${reference} needs the packages langchain and, as a rule, @langchain/${provider}: npm install langchain @langchain/${provider}`;
    throw notConfigured(reference, message, cause);
  }
  try {
    return await langchain.initChatModel(model, {
      modelProvider: provider,
      maxRetries: 0,
      configurableFields: ["temperature", "maxTokens"],
    });
  } catch (cause) {
    // LangChain's message names the package and the command.
    const reason = cause instanceof Error ? cause.message.split("\n", 1)[0]?.slice(0, 300) : String(cause);
    throw notConfigured(reference, `${reference} cannot be used: ${reason}`, cause);
  }
}

function notConfigured(reference: string, message: string, cause?: unknown) {
  return modelError("not_configured", message, { code: "MODEL_NOT_CONFIGURED", model: reference.slice(0, 100), cause });
}
