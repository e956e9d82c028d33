import type { IncomingHttpHeaders } from "node:http";
import type { Config } from "../config.ts";
import { LOCAL_PRINCIPAL } from "../definition/access.ts";
import type { Clock } from "../ports/clock.ts";
import { createApiKeyCheck } from "./credentials/api-keys.ts";
import { credentialOf } from "./credentials/bearer.ts";
import { unauthenticated, type Caller, type Check } from "./credentials/caller.ts";

/** Who calls; UNAUTHENTICATED where the credentials do not say so credibly. */
export interface Authenticate {
  byHeaders(headers: IncomingHttpHeaders): Promise<Caller>;
  /** By a WebSocket's handshake; undefined where it brings no credential, which may come in its first frame. */
  byHandshake(headers: IncomingHttpHeaders): Promise<Caller | undefined>;
  /** By a credential that came another way. */
  byCredential(credential: string | undefined): Promise<Caller>;
}

/** The way of telling callers apart that the configuration asks for. The tenant comes from here and from nowhere else. */
export async function createAuthenticate(config: Config, clock: Clock): Promise<Authenticate> {
  if (config.SIGNALBOX_AUTH === "none") {
    const local = async (): Promise<Caller> => ({ principal: LOCAL_PRINCIPAL, expiresAt: null });
    return { byHeaders: local, byHandshake: local, byCredential: local };
  }
  const checks: Check[] = [];
  if (config.SIGNALBOX_AUTH.includes("api-key")) checks.push(createApiKeyCheck(config, clock));
  if (config.SIGNALBOX_AUTH.includes("jwt")) {
    const { createTokenCheck } = await import("./credentials/tokens.ts");
    checks.push(createTokenCheck(config.SIGNALBOX_JWT_ISSUERS ?? [], clock));
  }

  async function byCredential(credential: string | undefined): Promise<Caller> {
    if (credential === undefined) throw unauthenticated("Send `Authorization: Bearer <token or key>`.");
    for (const check of checks) {
      const caller = await check(credential);
      if (caller) return caller;
    }
    throw unauthenticated("The credentials are not known here.");
  }
  return {
    byCredential,
    byHeaders: (headers) => byCredential(credentialOf(headers)),
    async byHandshake(headers) {
      const credential = credentialOf(headers);
      return credential === undefined ? undefined : await byCredential(credential);
    },
  };
}
