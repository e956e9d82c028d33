import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import type { Config } from "../../config.ts";
import { ApiKeys } from "../../config/credentials.ts";
import { SignalboxError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import { isScope, unauthenticated, type Caller, type Check } from "./caller.ts";

/**
 * Keys of machines. INVALID_INPUT where the list cannot be read or names a scope that does not exist: a start with half of the
 * keys would turn callers away later.
 */
export function createApiKeyCheck({ SIGNALBOX_API_KEYS, SIGNALBOX_API_KEYS_FILE }: Config, clock: Clock): Check {
  const keys = [...(SIGNALBOX_API_KEYS ?? []), ...(SIGNALBOX_API_KEYS_FILE === undefined ? [] : keysOf(SIGNALBOX_API_KEYS_FILE))];
  // Looked up by digest: how long that takes tells nothing about a key.
  const callers = new Map(keys.map((key) => [key.sha256, callerOf(key)]));
  return (credential) => {
    const caller = callers.get(createHash("sha256").update(credential).digest("hex"));
    if (caller && caller.expiresAt !== null && caller.expiresAt <= clock.now()) throw unauthenticated("The key has expired.");
    return caller;
  };
}

function keysOf(file: string): ApiKeys {
  try {
    return ApiKeys.parse(JSON.parse(readFileSync(file, "utf8")));
  } catch (cause) {
    throw new SignalboxError("INVALID_INPUT", `SIGNALBOX_API_KEYS_FILE: ${file} does not hold a list of keys.`, { cause });
  }
}

function callerOf({ id, tenant, scopes, groups = [], expiresAt }: ApiKeys[number]): Caller {
  const unknown = scopes === "all" ? undefined : scopes.find((scope) => !isScope(scope));
  if (unknown !== undefined)
    throw new SignalboxError("INVALID_INPUT", `SIGNALBOX_API_KEYS: key "${id}" has the scope "${unknown}", which does not exist.`);
  return {
    principal: {
      id: `key:${id}`,
      tenant,
      scopes: scopes === "all" ? "all" : new Set(scopes.filter(isScope)),
      groups: new Set(groups.map((name) => `group:${name}`)),
    },
    expiresAt: expiresAt === undefined ? null : Date.parse(expiresAt),
  };
}
