import type { IncomingHttpHeaders } from "node:http";

/** A browser cannot set headers on a WebSocket; it may offer this sub-protocol with its token appended instead. */
export const TOKEN_PROTOCOL = "bearer.";

/** The credential of a request: `Authorization: Bearer`, `X-Api-Key`, or the WebSocket sub-protocol `bearer.<token>`. */
export function credentialOf(headers: IncomingHttpHeaders): string | undefined {
  const { authorization, "x-api-key": key, "sec-websocket-protocol": protocols } = headers;
  return bearerOf(authorization) ?? (typeof key === "string" && key !== "" ? key : undefined) ?? tokenProtocolOf(protocols);
}

/** The token of an `Authorization` value, as it also comes in GraphQL's `connection_init`. */
export function bearerOf(authorization: unknown): string | undefined {
  return typeof authorization === "string" ? /^bearer +(\S+)$/i.exec(authorization.trim())?.[1] : undefined;
}

function tokenProtocolOf(protocols: string | undefined): string | undefined {
  const offered = (protocols ?? "").split(",").map((protocol) => protocol.trim());
  return offered.find((protocol) => protocol.startsWith(TOKEN_PROTOCOL))?.slice(TOKEN_PROTOCOL.length);
}
