import { createRemoteJWKSet, decodeJwt, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from "jose";
import { TenantId, type JwtIssuers } from "../../config/credentials.ts";
import { SignalboxError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import { isScope, unauthenticated, type Caller, type Check } from "./caller.ts";

/** Asymmetric ones only: a secret shared with the issuer is no proof, and "none" is none. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
const CLOCK_TOLERANCE_SECONDS = 30;
const JWKS_MS = 5_000;

/** Tokens of the configured issuers, verified with their published keys. UNAVAILABLE where those cannot be fetched. */
export function createTokenCheck(issuers: JwtIssuers, clock: Clock): Check {
  const keys = new Map(issuers.map(({ jwksUri }) => [jwksUri, createRemoteJWKSet(new URL(jwksUri), { timeoutDuration: JWKS_MS })]));
  return async (credential) => {
    const claimed = issuerOf(credential);
    if (claimed === undefined) return undefined;
    // Two issuers may share a name and differ in the audience.
    const candidates = issuers.filter(({ issuer }) => issuer === claimed);
    if (candidates.length === 0) throw unauthenticated("The token's issuer is not one of ours.");
    let refusal: unknown;
    for (const candidate of candidates) {
      try {
        return callerOf(await verify(credential, candidate, keys.get(candidate.jwksUri), clock), candidate);
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

async function verify(
  token: string,
  { issuer, audience }: JwtIssuers[number],
  keys: JWTVerifyGetKey | undefined,
  clock: Clock,
): Promise<JWTPayload> {
  if (!keys) throw unauthenticated("The token's issuer is not one of ours.");
  try {
    const { payload } = await jwtVerify(token, keys, {
      issuer,
      audience,
      algorithms: ALGORITHMS,
      requiredClaims: ["sub", "exp"],
      clockTolerance: CLOCK_TOLERANCE_SECONDS,
      currentDate: new Date(clock.now()),
    });
    return payload;
  } catch (error) {
    throw refusalOf(error);
  }
}

function refusalOf(error: unknown): SignalboxError {
  if (error instanceof errors.JWTExpired) return unauthenticated("The token has expired.");
  if (error instanceof errors.JWTClaimValidationFailed) return unauthenticated(`The token's claim "${error.claim}" is not acceptable.`);
  const isTheirs = error instanceof errors.JOSEError && !(error instanceof errors.JWKSTimeout) && error.code !== "ERR_JOSE_GENERIC";
  if (isTheirs) return unauthenticated("The token's signature cannot be verified.");
  return new SignalboxError("UNAVAILABLE", "The keys of the token's issuer cannot be fetched.", { cause: error });
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
