import { pino, type Logger } from "pino";

export type { Logger };

/** Severity names of Google Cloud Logging, by pino's. */
const SEVERITY: Record<string, string> = { trace: "DEBUG", debug: "DEBUG", info: "INFO", warn: "WARNING", error: "ERROR", fatal: "CRITICAL" };

/** JSON lines in the shape Google Cloud Logging reads: `severity`, `message`, `timestamp`. Never payloads or secrets. */
export function createLogger(level: string): Logger {
  return pino({
    level,
    messageKey: "message",
    base: null,
    formatters: { level: (label) => ({ severity: SEVERITY[label] ?? "DEFAULT" }) },
    timestamp: () => `,"timestamp":"${new Date().toISOString()}"`,
  });
}
