import { decodeJwt } from "jose";
import type { PushIdentities } from "../../config/credentials.ts";
import { SignalboxError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import { bearerOf } from "../credentials/bearer.ts";
import { unauthenticated } from "../credentials/caller.ts";
import { publishedKeys, verifyToken } from "../credentials/verify-token.ts";
import type { TenantOf } from "./push.ts";

/** Pushers by the OIDC tokens of their service accounts. */
export function byToken(identities: PushIdentities, clock: Clock): TenantOf {
  const keys = new Map(identities.map(({ jwksUri }) => [jwksUri, publishedKeys(jwksUri)]));
  return async ({ headers }) => {
    const token = bearerOf(headers.authorization);
    const claimed = token === undefined ? undefined : claimsOf(token);
    if (token === undefined || !claimed) throw unauthenticated("Send `Authorization: Bearer <OIDC token>`.");
    const candidates = identities.filter(({ issuer, audience }) => issuer === claimed.iss && [claimed.aud].flat().includes(audience));
    const [first] = candidates;
    const published = first && keys.get(first.jwksUri);
    if (!first || !published) throw unauthenticated("The token's issuer or audience is not one of ours.");
    const { email, email_verified: isVerified } = await verifyToken(token, { ...first, keys: published, clock });
    const own = candidates.find(({ emails, jwksUri }) => jwksUri === first.jwksUri && emails.some((each) => each === email));
    if (!own || isVerified !== true) throw new SignalboxError("FORBIDDEN", "The token's service account may not push here.");
    return own.tenant;
  };
}

function claimsOf(token: string) {
  try {
    return decodeJwt(token);
  } catch {
    return undefined; // not a JWT
  }
}
