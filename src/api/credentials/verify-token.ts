import { createRemoteJWKSet, errors, jwtVerify, type JWTPayload, type JWTVerifyGetKey } from "jose";
import { SignalboxError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import { unauthenticated } from "./caller.ts";

/** Asymmetric ones only: a secret shared with the issuer is no proof, and "none" is none. */
const ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"];
export const CLOCK_TOLERANCE_SECONDS = 30;
const JWKS_MS = 5_000;

/** Keys an issuer publishes, fetched when they are first needed and again when they change. */
export function publishedKeys(jwksUri: string): JWTVerifyGetKey {
  return createRemoteJWKSet(new URL(jwksUri), { timeoutDuration: JWKS_MS });
}

/** The claims of a token that is what it says. UNAUTHENTICATED where it is not; UNAVAILABLE where the keys cannot be fetched. */
export async function verifyToken(
  token: string,
  { issuer, audience, keys, clock }: { issuer: string; audience: string; keys: JWTVerifyGetKey; clock: Clock },
): Promise<JWTPayload> {
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
