import { z } from "zod";
import { Duration, durationMs } from "../definition/duration.ts";
import { JsonValue, type Json, type JsonObject } from "../definition/json.ts";
import { pointerTo } from "../definition/pointer.ts";
import { SignalboxError, type Issue } from "../errors.ts";
import { statusError } from "../outbound/failure.ts";
import { referencesIn, secretText, type HttpRequest, type Sendable, type Text } from "../outbound/http.ts";
import { defineStep, type StepContext } from "./step.ts";

const MAX_BYTES = 4 * 1_048_576;
const SECRET = "secret://";
const CALLBACK = "callback://url";
/** Largest body of the first answer that is kept while the step waits to be called back. */
const MAX_KEPT_BYTES = 32_768;
/** Fields whose texts may refer to secrets. */
const WITH_SECRETS = ["url", "query", "headers", "body"];

const Value = z.union([z.string(), z.number(), z.boolean()]);
const Config = z.strictObject({
  url: z.string().min(1).max(4_096).describe("http or https, to a public address or one the operator allows"),
  method: z.string().max(20).default("GET").describe("GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"),
  query: z.record(z.string(), Value).default({}).describe("Added to the URL"),
  headers: z.record(z.string(), Value).default({}),
  body: JsonValue.optional().describe("Sent as JSON, as a form where the content type says so, or as text where it is a text"),
  expectStatus: z
    .array(z.number().int().min(100).max(599))
    .min(1)
    .max(50)
    .optional()
    .describe("Statuses that are a success; 200 to 299 unless told"),
  timeout: Duration.default("30s").describe("For everything together, redirects included"),
  maxBytes: z.number().int().min(1).max(MAX_BYTES).default(1_048_576).describe("Largest body of the reply"),
  maxRedirects: z.number().int().min(0).max(10).default(0).describe("Redirects followed"),
  callback: z
    .strictObject({ timeout: Duration.default("1d") })
    .optional()
    .describe("The step waits until the receiver calls back; the address travels as `Signalbox-Callback-Url` and as `callback://url`"),
});
type WebhookConfig = z.infer<typeof Config>;

export default defineStep({
  type: "webhook",
  title: "HTTP request",
  description: "Calls a URL and gives its answer. Carries one Idempotency-Key on every attempt.",
  aliases: ["http"],
  group: "Work",
  config: Config,
  check: (config, { config: written }) => [...urlIssues(config.url), ...secretIssues(written)],
  async run(context) {
    const { config, step } = context;
    const callback = config.callback && (await context.openCallback());
    const reply = await context.fetch(withCallback(requestOf(config, step.config, context), callback?.url));
    const { status, headers, body, bodyType, redirects, durationMs: tookMs } = reply;
    const isExpected = config.expectStatus?.includes(status) ?? (status >= 200 && status < 300);
    if (!isExpected) throw statusError(reply, context.now());
    const output = { status, headers, body, bodyType, redirects, durationMs: tookMs };
    if (!callback || !config.callback) return { kind: "done", output };
    const dueAt = context.now() + (durationMs(config.callback.timeout) ?? 0);
    return { kind: "wait", wait: { kind: "callback", id: callback.waitId, dueAt, state: { event: callback.waitId, sent: kept(output) } } };
  },
  resume(_context, answer, state) {
    const { sent } = state as { sent: JsonObject }; // what `run` put there
    if (answer.by === "due") return { kind: "done", outcome: "timeout", output: { ...sent, callback: null } };
    return { kind: "done", output: { ...sent, callback: answer.data["data"] ?? null } };
  },
});

/** What is kept while the step waits is part of every write of the record: a body too large for that is let go. */
function kept(output: JsonObject): JsonObject {
  return JSON.stringify(output["body"] ?? null).length > MAX_KEPT_BYTES ? { ...output, body: null, bodyType: "none" } : output;
}

/** A reference counts only where the author wrote it: text that came in with data stays text. */
function requestOf(config: WebhookConfig, written: JsonObject, { idempotencyKey, attempt }: StepContext<WebhookConfig>): HttpRequest {
  const headers = Object.fromEntries(Object.entries(config.headers).map(([name, value]) => [name, String(value)]));
  return {
    method: config.method,
    // A record of texts comes out as one.
    url: withSecrets(written["url"], config.url) as Text,
    query: withSecrets(written["query"], texts(config.query)) as Record<string, Text>,
    headers: {
      "idempotency-key": idempotencyKey,
      "signalbox-attempt": String(attempt),
      ...(withSecrets(written["headers"], headers) as Record<string, Text>),
    },
    body: bodyOf(config, written["body"]),
    timeoutMs: durationMs(config.timeout),
    maxBytes: config.maxBytes,
    maxRedirects: config.maxRedirects,
  };
}

/** The address to call back goes in at the last moment, so that it is in no record. */
function withCallback(request: HttpRequest, url: string | undefined): HttpRequest {
  if (url === undefined) return request;
  const filled = withAddress({ ...request } as unknown as Sendable, url) as unknown as HttpRequest; // as it was, but for the texts
  const token = url.slice(url.lastIndexOf("/") + 1);
  return { ...filled, headers: { "signalbox-callback-url": url, ...filled.headers }, hidden: [url, token] };
}

function withAddress(value: Sendable, url: string): Sendable {
  if (typeof value === "string") return value.replaceAll(CALLBACK, url);
  if (Array.isArray(value)) return value.map((item) => withAddress(item, url));
  if (value === null || typeof value !== "object" || referencesIn(value) !== undefined) return value;
  return Object.fromEntries(Object.entries(value as Record<string, Sendable>).map(([name, item]) => [name, withAddress(item, url)]));
}

function bodyOf({ body, headers }: WebhookConfig, written: Json | undefined): HttpRequest["body"] {
  if (body === undefined) return undefined;
  if (typeof body === "string") return { text: withSecrets(written, body) as Text };
  const contentType = Object.entries(headers).find(([name]) => name.toLowerCase() === "content-type")?.[1];
  if (!/^application\/x-www-form-urlencoded/i.test(String(contentType ?? ""))) return { json: withSecrets(written, body) };
  if (body === null || typeof body !== "object" || Array.isArray(body)) {
    throw new SignalboxError("INVALID_INPUT", "A form is made of an object.", { details: { happened: false } });
  }
  return { form: withSecrets(written, texts(body)) as Record<string, Text> };
}

function texts(values: JsonObject): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [name, typeof value === "string" ? value : JSON.stringify(value)]),
  );
}

/** The value as it was evaluated, with secrets to be put in where the definition itself says so. */
function withSecrets(written: Json | undefined, value: Json): Sendable {
  if (typeof written === "string") return written.includes(SECRET) && written === value ? secretText(written) : value;
  if (written === undefined || written === null || typeof written !== "object" || value === null || typeof value !== "object") return value;
  if (Array.isArray(written)) return Array.isArray(value) ? value.map((item, index) => withSecrets(written[index], item)) : value;
  if (Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([name, item]) => [name, withSecrets(written[name], item)]));
}

function urlIssues(url: string): Issue[] {
  if (url.includes("${") || url.includes(SECRET)) return [];
  const parsed = URL.parse(url);
  if (parsed && /^https?:$/.test(parsed.protocol) && parsed.username === "" && parsed.password === "") return [];
  return [
    {
      code: "INVALID_CONFIG",
      pointer: "/config/url",
      message: "This is no URL to ask.",
      hint: "Write http:// or https://, a host and a path; no user name.",
    },
  ];
}

/** A text with a secret is taken as it is written, so that no value can end up beside it, or decide where it goes. */
function secretIssues(written: JsonObject): Issue[] {
  const issue = (pointer: string, message: string, hint: string): Issue => ({ code: "INVALID_CONFIG", pointer, message, hint });
  const walk = (value: Json, pointer: string, isOpen: boolean): Issue[] => {
    if (value !== null && typeof value === "object") {
      return Object.entries(value).flatMap(([key, item]) => walk(item, pointerTo(pointer, key), isOpen));
    }
    if (typeof value !== "string" || !value.includes(SECRET)) return [];
    if (!isOpen) return [issue(pointer, "There can be no secret here.", `Secrets go into ${WITH_SECRETS.join(", ")}.`)];
    if (value.includes("${"))
      return [issue(pointer, "A text with a secret holds no ${ }.", "Put the secret into a header or field of its own.")];
    const rest = value.replaceAll(/secret:\/\/(?:env\/SIGNALBOX_SECRET_[A-Za-z0-9_]+|file\/[A-Za-z0-9_][A-Za-z0-9_.-]*)/g, "");
    return rest.includes(SECRET)
      ? [issue(pointer, "This refers to no secret.", "Write secret://env/SIGNALBOX_SECRET_NAME or secret://file/NAME.")]
      : [];
  };
  return Object.entries(written).flatMap(([name, value]) => walk(value, `/config/${name}`, WITH_SECRETS.includes(name)));
}
