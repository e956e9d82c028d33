import { createHash, createHmac, randomUUID, timingSafeEqual } from "node:crypto";
import { durationMs } from "../definition/duration.ts";
import { SignalboxError } from "../errors.ts";

/** How a webhook tells its sender. Secrets are references; one of them must fit. */
export type WebhookAuth =
  | { type: "hmac"; secrets: string[]; signatureHeader: string; timestampHeader: string; tolerance: string }
  | { type: "bearer"; secrets: string[] }
  | { type: "none" };

/** A request as it came, before anything is read out of it. */
export interface RawRequest {
  /** Names in lowercase. */
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: Uint8Array;
}

/** The value a secret reference stands for; undefined where it cannot be read. */
export type ReadSecret = (reference: string) => Promise<string | undefined>;

/**
 * Lets a request in, or throws UNAUTHENTICATED with `details.reason`. Resolves with the id of the event the request is: the same
 * for the same signed content, so that a replay is the event that was, not another one; else what the sender calls it.
 */
export async function authenticate(
  auth: WebhookAuth,
  request: RawRequest,
  { read, now }: { read: ReadSecret; now: number },
): Promise<string> {
  switch (auth.type) {
    case "none":
      return givenId(request);
    case "bearer": {
      const token = /^Bearer +(\S+)$/i.exec(header(request, "authorization") ?? "")?.[1];
      if (token === undefined) throw refused("bearer_missing", "Send `Authorization: Bearer <token>`.");
      const secrets = await secretsOf(auth.secrets, read);
      if (!secrets.some((secret) => isSame(digest(token), digest(secret))))
        throw refused("bearer_mismatch", "The token is not the one expected.");
      return givenId(request);
    }
    case "hmac":
      return await signedId(auth, request, { read, now });
    default:
      return auth satisfies never;
  }
}

async function signedId(
  { secrets, signatureHeader, timestampHeader, tolerance }: Extract<WebhookAuth, { type: "hmac" }>,
  request: RawRequest,
  { read, now }: { read: ReadSecret; now: number },
): Promise<string> {
  const signature = header(request, signatureHeader);
  const timestamp = header(request, timestampHeader);
  if (signature === undefined || timestamp === undefined) {
    throw refused("signature_missing", `Send ${timestampHeader} and ${signatureHeader}.`);
  }
  if (!/^\d{1,12}$/.test(timestamp)) throw refused("timestamp_malformed", `${timestampHeader} must be seconds since 1970.`);
  const given = signature.split(/[\s,]+/).map(signatureBytes);
  const signed = Buffer.concat([Buffer.from(`${timestamp}.`), request.body]);
  const expected = (await secretsOf(secrets, read)).map((secret) => createHmac("sha256", secret).update(signed).digest());
  // The signature first: who cannot sign learns nothing about clocks.
  if (!expected.some((wanted) => given.some((candidate) => isSame(candidate, wanted)))) {
    throw refused("signature_mismatch", "The signature does not fit the timestamp and the body.");
  }
  if (Math.abs(now - Number(timestamp) * 1_000) > (durationMs(tolerance) ?? 0)) {
    throw refused("timestamp_outside_tolerance", `The timestamp is further than ${tolerance} from now.`);
  }
  // Of the content, not of the signature: the same content under the other secret is the same event.
  return createHash("sha256").update(signed).digest("hex");
}

/** Bytes of a signature in hex or base64, whatever it is prefixed with (`sha256=`, `v1=`). */
function signatureBytes(text: string): Buffer {
  const value = text.replace(/^[a-z0-9]+=(?=.)/i, "");
  return /^[0-9a-f]{64}$/i.test(value) ? Buffer.from(value, "hex") : Buffer.from(value, "base64");
}

/** What the sender calls the request, so that its repeats are one event; random unless told. */
function givenId(request: RawRequest): string {
  const given = header(request, "idempotency-key") ?? header(request, "webhook-id");
  return given !== undefined && given.length > 0 && given.length <= 255 ? given : randomUUID();
}

async function secretsOf(references: readonly string[], read: ReadSecret): Promise<string[]> {
  const values = await Promise.all(references.map(read));
  const secrets = values.filter((value) => value !== undefined && value.length > 0).map(String);
  // The operator's fault, not the sender's: it may try again once it is mended.
  if (secrets.length === 0) throw new SignalboxError("UNAVAILABLE", "No secret of this webhook can be read.");
  return secrets;
}

function header({ headers }: RawRequest, name: string): string | undefined {
  const value = headers[name];
  return typeof value === "string" ? value : undefined;
}

function digest(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

function isSame(left: Buffer, right: Buffer): boolean {
  return left.length === right.length && timingSafeEqual(left, right);
}

function refused(reason: string, message: string): SignalboxError {
  return new SignalboxError("UNAUTHENTICATED", message, { details: { reason } });
}
