import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { exportJWK, generateKeyPair, SignJWT, type JWTPayload } from "jose";

export interface Issuer extends AsyncDisposable {
  jwksUri: string;
  /** `SIGNALBOX_JWT_ISSUERS` for this issuer. */
  setting: string;
  token(
    claims: JWTPayload,
    options?: { expiresInSeconds?: number; issuer?: string; audience?: string; foreignKey?: boolean },
  ): Promise<string>;
  /** Stops publishing the keys. */
  hide(): void;
}

/** A login service of the tests: signs tokens and publishes its keys over HTTP on loopback. */
export async function startIssuer(extra: Record<string, unknown> = {}): Promise<Issuer> {
  const own = await generateKeyPair("ES256");
  const foreign = await generateKeyPair("ES256");
  const keys = JSON.stringify({ keys: [{ ...(await exportJWK(own.publicKey)), kid: "one", alg: "ES256", use: "sig" }] });
  let isHidden = false;
  const server = createServer((_request, response) => {
    response.writeHead(isHidden ? 500 : 200, { "content-type": "application/json" }).end(isHidden ? "{}" : keys);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const jwksUri = `http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`;
  const issuer = "https://login.test";
  const audience = "signalbox";
  return {
    jwksUri,
    setting: JSON.stringify([{ issuer, audience, jwksUri, ...extra }]),
    token: (claims, options = {}) =>
      new SignJWT(claims)
        .setProtectedHeader({ alg: "ES256", kid: "one" })
        .setIssuer(options.issuer ?? issuer)
        .setAudience(options.audience ?? audience)
        .setExpirationTime(Math.floor(Date.now() / 1_000) + (options.expiresInSeconds ?? 600))
        .sign(options.foreignKey ? foreign.privateKey : own.privateKey),
    hide: () => void (isHidden = true),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
