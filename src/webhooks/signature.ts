import { createHmac } from "node:crypto";
import { SignalboxError } from "../errors.ts";

/** Of a secret that stands for bytes, in base64. */
export const SECRET_PREFIX = "whsec_";

/** The value of a secret by what is stored of it or refers to it; undefined where it cannot be read. */
export type ReadSecret = (reference: string) => Promise<string | undefined>;

/**
 * The headers of Standard Webhooks: each secret signs id, time and body, so that a receiver that knows either takes it. UNAVAILABLE where
 * no secret can be read: the operator's fault, which may be mended before the next try.
 */
export async function signedHeaders(
  { id, body, secrets, now }: { id: string; body: string; secrets: readonly string[]; now: number },
  read: ReadSecret,
): Promise<Record<string, string>> {
  const timestamp = Math.floor(now / 1_000);
  const values = await Promise.all(secrets.map(read));
  const known = values.filter((value) => value !== undefined && value.length > 0).map(String);
  if (known.length === 0) throw new SignalboxError("UNAVAILABLE", "No secret of this endpoint can be read.");
  const signatures = known.map((secret) => {
    // The specification signs with the bytes the text stands for; a secret of another form is taken as it is.
    const key = secret.startsWith(SECRET_PREFIX) ? Buffer.from(secret.slice(SECRET_PREFIX.length), "base64") : Buffer.from(secret);
    return `v1,${createHmac("sha256", key).update(`${id}.${timestamp}.${body}`).digest("base64")}`;
  });
  return { "webhook-id": id, "webhook-timestamp": String(timestamp), "webhook-signature": signatures.join(" ") };
}
