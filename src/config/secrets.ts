import type { Config } from "../config.ts";

/** Headers whose values are credentials. */
const CREDENTIAL_HEADER = /authorization|key|token|secret|cookie|password/i;

/** Values that must not appear in a log line. What is read from secrets joins them, see `noteSecrets`. */
export function secretsOf({ OPENAI_API_KEY, SIGNALBOX_MCP = {}, SIGNALBOX_WEBHOOK_KEYS = [] }: Config): Set<string> {
  const headers = Object.values(SIGNALBOX_MCP).flatMap((server) => Object.entries(server.headers ?? {}));
  const written = headers.flatMap(([name, value]) => (CREDENTIAL_HEADER.test(name) && !value.includes("secret://") ? [value] : []));
  const keys = SIGNALBOX_WEBHOOK_KEYS.map(({ key }) => key);
  return new Set([...(OPENAI_API_KEY === undefined ? [] : [OPENAI_API_KEY]), ...keys, ...written]);
}
