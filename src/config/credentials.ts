import { z } from "zod";

/** Tenants are parts of document paths and keys: no separator, no dot, nothing to normalise. */
export const TenantId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$/, "must be 1 to 63 letters, digits, _ or -");

/** Keys of machines. Only their SHA-256 is kept: `printf %s "$key" | sha256sum`. */
export const ApiKeys = z
  .array(
    z.strictObject({
      id: z.string().min(1).max(64).describe("Shown as the principal `key:<id>`"),
      sha256: z.string().regex(/^[0-9a-f]{64}$/, "must be 64 hexadecimal digits"),
      tenant: TenantId,
      scopes: z.union([z.literal("all"), z.array(z.string()).min(1)]),
      groups: z.array(z.string().min(1)).optional().describe("Groups it belongs to, as approvals name them without `group:`"),
      expiresAt: z.iso.datetime({ offset: true }).optional(),
    }),
  )
  .min(1);
export type ApiKeys = z.infer<typeof ApiKeys>;

/** Who signs tokens, and where in them tenant and scopes are. */
export const JwtIssuers = z
  .array(
    z.strictObject({
      issuer: z.string().min(1),
      audience: z.string().min(1),
      jwksUri: z.url().refine(isTrustworthy, "must be https, or http on loopback"),
      tenantClaim: z.string().min(1).default("tenant"),
      scopesClaim: z.string().min(1).default("scope"),
      groupsClaim: z.string().min(1).default("groups"),
      rolesClaim: z.string().min(1).default("roles"),
      /** For an issuer of one tenant alone: its tokens need no claim. */
      tenant: TenantId.optional(),
    }),
  )
  .min(1);
export type JwtIssuers = z.infer<typeof JwtIssuers>;

/** Whose Pub/Sub and Eventarc pushes are taken, and which tenant they are for. */
export const PushIdentities = z
  .array(
    z.strictObject({
      tenant: TenantId,
      /** What the subscription's `--push-auth-token-audience` says; the push address itself unless told there. */
      audience: z.string().min(1),
      /** Service accounts that tokens are made for. */
      emails: z.array(z.email()).min(1),
      issuer: z.string().min(1).default("https://accounts.google.com"),
      jwksUri: z.url().refine(isTrustworthy, "must be https, or http on loopback").default("https://www.googleapis.com/oauth2/v3/certs"),
    }),
  )
  .min(1);
export type PushIdentities = z.infer<typeof PushIdentities>;

/** What secrets of webhook endpoints are derived from. */
export const WebhookKeys = z
  .array(z.strictObject({ id: z.string().regex(/^[a-z0-9-]{1,32}$/, "must be 1 to 32 of a-z, 0-9 and -"), key: z.string().min(32) }))
  .min(1)
  .refine((keys) => new Set(keys.map(({ id }) => id)).size === keys.length, "must have different ids");
export type WebhookKeys = z.infer<typeof WebhookKeys>;

/** A variable that holds JSON. */
export function jsonOf<T extends z.ZodType>(schema: T) {
  return z
    .string()
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text);
      } catch {
        context.issues.push({ code: "custom", message: "must be JSON", input: text });
        return z.NEVER;
      }
    })
    .pipe(schema);
}

function isTrustworthy(url: string): boolean {
  const { protocol, hostname } = new URL(url);
  return protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname));
}
