import { pino, type Logger, type LoggerOptions as LoggerSettings } from "pino";

export type { Logger };

export interface LoggerOptions {
  level: string;
  /** Values that must not be in any line, wherever they come from; looked at with every line, so that it may grow. */
  secrets?: ReadonlySet<string>;
  /** Google Cloud project, for links from a line to its trace. */
  project?: string | undefined;
  /** Standard output unless given. */
  destination?: { write(line: string): void } | undefined;
}

/** Severity names of Google Cloud Logging, by pino's. */
const SEVERITY: Record<string, string> = {
  trace: "DEBUG",
  debug: "DEBUG",
  info: "INFO",
  warn: "WARNING",
  error: "ERROR",
  fatal: "CRITICAL",
};
/** Credentials by their look: bearer tokens, JWTs, keys of model providers. */
const CREDENTIALS = /\bBearer +[\w.~+/=-]{8,}|\beyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]*|\bsk-[\w-]{16,}/gi;
const REDACTED = "[redacted]";
/** Shorter values are words that occur by themselves. */
const SHORTEST_SECRET = 8;

/**
 * JSON lines in the shape Google Cloud Logging reads: `severity`, `message`, `timestamp` and, where `traceId` is given, the trace.
 * Never payloads; secrets are taken out of the finished line by value, whichever field or stack they are in.
 */
export function createLogger({ level, secrets = new Set(), project, destination }: LoggerOptions): Logger {
  let written: string[] = [];
  let known = 0;
  /** The secrets as they stand in JSON. */
  function writtenSecrets(): string[] {
    if (known === secrets.size) return written;
    known = secrets.size;
    written = [...secrets].filter((secret) => secret.length >= SHORTEST_SECRET).map((secret) => JSON.stringify(secret).slice(1, -1));
    return written;
  }
  const options: LoggerSettings = {
    level,
    messageKey: "message",
    base: null,
    formatters: {
      level: (label) => ({ severity: SEVERITY[label] ?? "DEFAULT" }),
      log: (fields) => (typeof fields["traceId"] === "string" ? correlated(fields, project) : fields),
    },
    hooks: {
      streamWrite: (line) =>
        writtenSecrets()
          .reduce((text, secret) => text.replaceAll(secret, REDACTED), line)
          .replace(CREDENTIALS, REDACTED),
    },
    timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
  };
  return destination ? pino(options, destination) : pino(options);
}

function correlated({ traceId, spanId, ...fields }: Record<string, unknown>, project: string | undefined): Record<string, unknown> {
  return {
    ...fields,
    "logging.googleapis.com/trace": project === undefined ? traceId : `projects/${project}/traces/${String(traceId)}`,
    ...(spanId !== undefined && { "logging.googleapis.com/spanId": spanId }),
  };
}
