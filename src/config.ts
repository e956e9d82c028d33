import { z } from "zod";
import { McpServers } from "./config/mcp.ts";
import { ApiKeys, JwtIssuers, jsonOf, PushIdentities, WebhookKeys } from "./config/credentials.ts";
import { TenantsLimits } from "./config/tenants.ts";

const Port = z.coerce.number("must be a port number, 0 to 65535").int().min(0).max(65_535);
const Milliseconds = z.coerce.number("must be a number of milliseconds").int().min(1);
/** Milliseconds of a duration like `7d`. */
const Duration = z
  .string()
  .regex(/^[1-9]\d{0,6}(s|m|h|d)$/, 'must be a duration like "90s", "12h" or "7d"')
  .transform(
    (text) => Number(text.slice(0, -1)) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 }[text.slice(-1) as "s" | "m" | "h" | "d"],
  );
const Flag = z.stringbool();
const List = z.string().transform((text) => text.split(",").flatMap((item) => item.trim() || []));

/**
 * The only reader of the environment. `describe` texts become `docs/configuration.md`; a wrong value ends the start with exit 78
 * before anything is opened.
 */
const Environment = z.object({
  HOST: z.string().default("127.0.0.1").describe("Address to listen on. With SIGNALBOX_AUTH=none only a loopback address is taken"),
  SIGNALBOX_PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe("Where others reach this service, for the callbacks of webhook steps; the address it listens on unless told"),
  PORT: Port.default(8080).describe("Port to listen on; 0 takes a free one"),
  SIGNALBOX_STORE: z
    .string()
    .regex(/^(sqlite:.+|firestore:[^/]+(\/[^/]+)?)$/, "must be sqlite:<path>, sqlite::memory: or firestore:<project>[/<database>]")
    .default("sqlite:./data/signalbox.db")
    .describe(
      "Where state lives: `sqlite:<path>`, `sqlite::memory:` or `firestore:<project>`, with `/<database>` for another than `(default)`",
    ),
  SIGNALBOX_QUEUE: z
    .string()
    .regex(/^(local|pubsub:.+)$/, "must be local or pubsub:<project>")
    .default("local")
    .describe("How work hints travel: `local` or `pubsub:<project>`"),
  SIGNALBOX_EVENTS: z
    .string()
    .regex(/^(off|pubsub:.+)$/, "must be off or pubsub:<project>")
    .default("off")
    .describe("Where workers read events from that start executions: `off` or `pubsub:<project>`"),
  SIGNALBOX_EVENTS_TENANT: z.string().min(1).max(255).default("default").describe("Tenant whose triggers those events are for"),
  SIGNALBOX_EVENT_RETENTION: Duration.prefault("7d").describe(
    "How long received events are kept, to be looked at, replayed and waited for",
  ),
  SIGNALBOX_PARKED_RETENTION: Duration.prefault("31d").describe("How long messages that could not be taken as events are kept"),
  SIGNALBOX_PUSH: jsonOf(PushIdentities)
    .optional()
    .describe(
      "Who may push events to `/push/pubsub`, and for which tenant, as JSON: `[{tenant, audience, emails, issuer?, jwksUri?}]`; needed unless SIGNALBOX_AUTH=none",
    ),
  SIGNALBOX_EVENTS_OUT: z
    .string()
    .regex(/^(off|pubsub:.+)$/, "must be off or pubsub:<project>")
    .default("off")
    .describe("Where workers send events of executions: `off` or `pubsub:<project>`, to the topic `<prefix>-lifecycle`"),
  SIGNALBOX_EVENTS_OUT_TYPES: z
    .enum(["lifecycle", "all"])
    .default("lifecycle")
    .describe("Which of them: `lifecycle` (of executions as a whole, of waits, and what authors publish) or `all`"),
  SIGNALBOX_WEBHOOK_TRIES: z.coerce
    .number()
    .int()
    .min(1)
    .max(9)
    .default(9)
    .describe("How often a webhook delivery is tried: at once, then after 5s, 1m, 5m, 30m, 2h, 5h, 10h and 10h"),
  SIGNALBOX_WEBHOOK_DISABLE_AFTER: Duration.prefault("5d").describe("An endpoint that took nothing for this long is disabled"),
  SIGNALBOX_WEBHOOK_KEYS: jsonOf(WebhookKeys)
    .optional()
    .describe(
      "Keys secrets of webhook endpoints are derived from, new ones from the first, as JSON: `[{id, key}]`, keys of 32 characters at least; without it secrets are stored as they are",
    ),
  SIGNALBOX_PUBSUB_PREFIX: z
    .string()
    .regex(/^[a-z][a-z0-9-]{2,99}$/, "must be 3 to 100 lowercase letters, digits and hyphens")
    .default("signalbox")
    .describe("First part of the names of Pub/Sub topics and subscriptions: `<prefix>-work`, `<prefix>-events`, `<prefix>-lifecycle`"),
  SIGNALBOX_PUBSUB_CREATE: Flag.default(false).describe(
    "true: create Pub/Sub topics and subscriptions that are missing, as is always done on the emulator; else a missing one ends the start",
  ),
  SIGNALBOX_ROLE: z.enum(["all", "api", "worker"]).default("all").describe("What this process does"),
  SIGNALBOX_AUTH: z
    .enum(["none", "api-key", "jwt", "api-key,jwt"])
    .default("none")
    .describe("`none`: no credentials, one tenant, loopback only. `api-key`, `jwt`: callers show one; see docs/operations.md"),
  SIGNALBOX_API_KEYS: jsonOf(ApiKeys).optional().describe("Keys of machines as JSON: `[{id, sha256, tenant, scopes, expiresAt?}]`"),
  SIGNALBOX_API_KEYS_FILE: z.string().optional().describe("File with the same JSON, such as a mounted secret"),
  SIGNALBOX_JWT_ISSUERS: jsonOf(JwtIssuers)
    .optional()
    .describe("Who signs tokens, as JSON: `[{issuer, audience, jwksUri, tenantClaim?, scopesClaim?, tenant?}]`"),
  SIGNALBOX_MODEL: z
    .string()
    .regex(/^[a-z][a-z0-9-]*:.+$/, "must be provider:model")
    .optional()
    .describe("What `model: default` means, as `provider:model`; the keyless `scripted:offline` unless told"),
  OPENAI_API_KEY: z.string().min(1).optional().describe("Key of `openai:` models"),
  OPENAI_BASE_URL: z.url().optional().describe("Another endpoint that speaks OpenAI's protocol (Ollama, vLLM, a gateway)"),
  SIGNALBOX_EGRESS_ALLOW: List.default([]).describe(
    "Where requests of steps may go beside public addresses on the ports 80, 443, 8080 and 8443: ranges, addresses and host names, each with or without a port, separated by commas",
  ),
  SIGNALBOX_MCP: jsonOf(McpServers)
    .optional()
    .describe(
      "MCP servers whose tools workflows may use, as JSON: `{name: {url, headers?, tools?}}`; headers may hold `secret://` references",
    ),
  SIGNALBOX_STEPS: z
    .string()
    .optional()
    .describe("Folder of the operator's own `*.step.ts`, `*.trigger.ts`, `*.action.ts` and `*.tool.ts` (or `.js`) files"),
  SIGNALBOX_SECRETS: z
    .string()
    .default("/run/secrets")
    .describe("Folder of mounted secrets, one file each, that `file:<name>` in definitions means"),
  SIGNALBOX_EXAMPLES: Flag.default(false).describe(
    "true: load the workflows in `examples/` and run the sample at start, as `npm start` does",
  ),
  SIGNALBOX_CONCURRENCY: z.coerce.number().int().min(1).max(10_000).default(64).describe("Executions this worker runs at once"),
  SIGNALBOX_TENANT_LIMITS: jsonOf(TenantsLimits)
    .optional()
    .describe(
      'Bounds of tenants as JSON, `*` for those not named: `{"*": {concurrency?, startsPerSecond?}}`; concurrency holds over all processes, startsPerSecond in each',
    ),
  SIGNALBOX_LEASE_MS: Milliseconds.default(15_000).describe("How long a silent worker keeps an execution, milliseconds"),
  SIGNALBOX_SWEEP_MS: Milliseconds.default(1_000).describe("How often a worker looks for due timers and lost work, milliseconds"),
  SIGNALBOX_BODY_LIMIT: z.coerce.number().int().min(1_024).default(1_048_576).describe("Largest request body, bytes"),
  SIGNALBOX_DRAIN_MS: Milliseconds.default(10_000).describe("How long SIGTERM waits for steps to reach a checkpoint, milliseconds"),
  SIGNALBOX_LINGER_MS: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .describe("How long SIGTERM keeps serving with readiness red, so that load balancers look away first, milliseconds"),
  SIGNALBOX_READY_LAG_MS: z.coerce
    .number()
    .int()
    .min(0)
    .default(2_000)
    .describe("Readiness is red while the event loop has been later than this in each of 10 seconds, milliseconds; 0: whatever it does"),
  SIGNALBOX_LOG: z.enum(["fatal", "error", "warn", "info", "debug", "silent"]).default("info").describe("Least severity that is logged"),
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url()
    .optional()
    .describe("Where traces are sent, OTLP over HTTP; https://telemetry.googleapis.com is Cloud Trace. Nothing is traced unless set"),
  OTEL_SERVICE_NAME: z.string().min(1).default("signalbox").describe("Name of the service in traces"),
  OTEL_TRACES_SAMPLER_ARG: z.coerce.number().min(0).max(1).default(1).describe("Share of executions that are traced, 0 to 1"),
  GOOGLE_CLOUD_PROJECT: z
    .string()
    .min(1)
    .optional()
    .describe("Project of the traces that log lines link to; that of a `firestore:` store unless told"),
});

export type Config = Readonly<z.infer<typeof Environment>>;

/** Description, default and type of every variable, for `docs/configuration.md`. */
export const configSchema = Environment;

/** The secret an `env:` reference of a definition names; undefined where it is not set, or is a variable of another kind. */
export function environmentSecret(name: string): string | undefined {
  return name.startsWith("SIGNALBOX_SECRET_") ? process.env[name] : undefined;
}

/** Parsed configuration, or the lines to print before exit 78. */
export function loadConfig(environment: Record<string, string | undefined> = process.env): { config: Config } | { problems: string[] } {
  // An empty variable is one that is not set: `PORT= npm start` must not mean port 0.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined && value !== ""));
  const parsed = Environment.safeParse(given);
  if (!parsed.success) {
    return { problems: parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`) };
  }
  if (parsed.data.SIGNALBOX_AUTH === "none" && !isLoopback(parsed.data.HOST)) {
    return { problems: [`HOST: SIGNALBOX_AUTH=none binds to loopback only, not to ${parsed.data.HOST}`] };
  }
  const problems = credentialProblems(parsed.data);
  return problems.length > 0 ? { problems } : { config: Object.freeze(parsed.data) };
}

function credentialProblems(config: Config): string[] {
  const problems: string[] = [];
  if (config.SIGNALBOX_AUTH.includes("api-key") && !config.SIGNALBOX_API_KEYS && config.SIGNALBOX_API_KEYS_FILE === undefined) {
    problems.push("SIGNALBOX_API_KEYS: SIGNALBOX_AUTH=api-key needs keys, here or in SIGNALBOX_API_KEYS_FILE");
  }
  if (config.SIGNALBOX_AUTH.includes("jwt") && !config.SIGNALBOX_JWT_ISSUERS) {
    problems.push("SIGNALBOX_JWT_ISSUERS: SIGNALBOX_AUTH=jwt needs at least one issuer");
  }
  return problems;
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
}
