import { createHmac, randomBytes } from "node:crypto";
import { SECRET_PREFIX, type ReadSecret } from "./signature.ts";

const DERIVED = "derived:";
const SECRET_BYTES = 32;
const NONCE_BYTES = 16;

/** A key secrets are derived from; its id says later which one it was. */
export interface DerivationKey {
  id: string;
  key: string;
}

/** Secrets of endpoints: what is stored of them, and what receivers are told. */
export interface EndpointSecrets {
  /** A new one. With keys, only what it is derived by is stored, by the first of them: whoever reads the store signs nothing. */
  make(): { stored: string; shown: string };
  /** What is signed with; undefined where its key or the reference cannot be read. */
  read: ReadSecret;
}

export function createEndpointSecrets({ keys, read }: { keys: readonly DerivationKey[]; read: ReadSecret }): EndpointSecrets {
  return {
    make() {
      const [first] = keys;
      if (!first) {
        const secret = SECRET_PREFIX + randomBytes(SECRET_BYTES).toString("base64");
        return { stored: secret, shown: secret };
      }
      const nonce = randomBytes(NONCE_BYTES).toString("base64url");
      return { stored: `${DERIVED}${first.id}:${nonce}`, shown: derived(first, nonce) };
    },
    async read(stored) {
      if (stored.startsWith(SECRET_PREFIX)) return stored;
      if (!stored.startsWith(DERIVED)) return await read(stored);
      const [id = "", nonce = ""] = stored.slice(DERIVED.length).split(":");
      const known = keys.find((key) => key.id === id);
      return known && derived(known, nonce);
    },
  };
}

function derived({ key }: DerivationKey, nonce: string): string {
  return SECRET_PREFIX + createHmac("sha256", key).update(`signalbox webhook secret ${nonce}`).digest("base64");
}
