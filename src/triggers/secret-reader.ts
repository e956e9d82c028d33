import { readFile } from "node:fs/promises";
import path from "node:path";
import type { ReadSecret } from "./webhook-auth.ts";

export interface SecretReaderOptions {
  /** Folder of mounted secrets; `file:` references name files in it. */
  folder: string;
  environment(name: string): string | undefined;
}

/**
 * Reads `env:SIGNALBOX_SECRET_<NAME>` and `file:<name>`, anew each time, so that a rotated secret counts at once. Names that could
 * lead to other variables or files are nothing: an author of workflows must not reach the service's own secrets.
 */
export function createSecretReader({ folder, environment }: SecretReaderOptions): ReadSecret {
  return async (reference) => {
    const [, kind, name = ""] = /^(env|file):(.+)$/.exec(reference) ?? [];
    if (kind === "env") return name.startsWith("SIGNALBOX_SECRET_") ? environment(name) : undefined;
    if (kind !== "file" || path.basename(name) !== name || name.startsWith(".")) return undefined;
    try {
      return (await readFile(path.join(folder, name), "utf8")).trimEnd();
    } catch {
      return undefined;
    }
  };
}
