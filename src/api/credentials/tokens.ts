import { decodeJwt, type JWTPayload } from "jose";
import { TenantId, type JwtIssuers } from "../../config/credentials.ts";
import type { Clock } from "../../ports/clock.ts";
import { isScope, unauthenticated, type Caller, type Check } from "./caller.ts";
import { CLOCK_TOLERANCE_SECONDS, publishedKeys, verifyToken } from "./verify-token.ts";

/** Tokens of the configured issuers, verified with their published keys. UNAVAILABLE where those cannot be fetched. */
export function createTokenCheck(issuers: JwtIssuers, clock: Clock): Check {
  const keys = new Map(issuers.map(({ jwksUri }) => [jwksUri, publishedKeys(jwksUri)]));
  return async (credential) => {
    const claimed = issuerOf(credential);
    if (claimed === undefined) return undefined;
    // Two issuers may share a name and differ in the audience.
    const candidates = issuers.filter(({ issuer }) => issuer === claimed);
    if (candidates.length === 0) throw unauthenticated("The token's issuer is not one of ours.");
    let refusal: unknown;
    for (const candidate of candidates) {
      try {
        const published = keys.get(candidate.jwksUri);
        if (!published) throw unauthenticated("The token's issuer is not one of ours.");
        return callerOf(await verifyToken(credential, { ...candidate, keys: published, clock }), candidate);
      } catch (error) {
        refusal = error;
      }
    }
    throw refusal;
  };
}

function issuerOf(credential: string): string | undefined {
  try {
    return decodeJwt(credential).iss ?? "";
  } catch {
    return undefined; // not a JWT
  }
}

function callerOf(claims: JWTPayload, issuer: JwtIssuers[number]): Caller {
  const { tenant: fixed, tenantClaim, scopesClaim, groupsClaim, rolesClaim } = issuer;
  const tenant = TenantId.safeParse(fixed ?? claims[tenantClaim]);
  if (!tenant.success) throw unauthenticated(`The token's claim "${tenantClaim}" names no tenant.`);
  const { sub = "", exp = 0 } = claims; // both required by verify
  const groups = new Set([
    ...namesIn(claims[groupsClaim]).map((name) => `group:${name}`),
    ...namesIn(claims[rolesClaim]).map((name) => `role:${name}`),
  ]);
  // The tolerance counts here too: a token that was just taken must not end at once.
  const expiresAt = (exp + CLOCK_TOLERANCE_SECONDS) * 1_000;
  return {
    principal: { id: sub.slice(0, 255), tenant: tenant.data, scopes: new Set(namesIn(claims[scopesClaim]).filter(isScope)), groups },
    expiresAt,
  };
}

/** A claim that lists names: an array, or words in a text. */
function namesIn(claim: unknown): string[] {
  if (typeof claim === "string") return claim.split(" ").filter((name) => name !== "");
  return Array.isArray(claim) ? claim.filter((name) => typeof name === "string") : [];
}
