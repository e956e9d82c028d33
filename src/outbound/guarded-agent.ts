import { lookup } from "node:dns/promises";
import type { LookupFunction } from "node:net";
import { callbackify } from "node:util";
import { Agent, buildConnector } from "undici";
import { SignalboxError } from "../errors.ts";
import { hostOf, portOf, type EgressRules } from "./egress-rules.ts";

const CONNECT_TIMEOUT_MS = 10_000;

/** All addresses of a host name. */
export type Resolve = (name: string) => Promise<{ address: string; family: number }[]>;

/**
 * Connections that are checked where they are made. A name is checked when it is resolved, which is the moment its addresses are used:
 * whoever resolves first and connects later may be told something else the second time. A literal address is never resolved, so it is
 * checked before. Sockets are never kept: one that is open already would not be checked again, and one that the receiver closes
 * meanwhile looks like a lost request.
 */
export function createGuardedAgent({ rules, resolve = systemResolve }: { rules: EgressRules; resolve?: Resolve | undefined }): Agent {
  return new Agent({
    pipelining: 0,
    connect(options, callback) {
      const url = new URL(`${options.protocol}//${options.host ?? options.hostname}`);
      try {
        rules.checkUrl(url);
      } catch (error) {
        // Thrown by the rules, which throw nothing but errors.
        return callback(error as Error, null);
      }
      const guarded = guardedLookup({ rules, resolve, port: portOf(url), name: hostOf(url) });
      buildConnector({ timeout: CONNECT_TIMEOUT_MS, lookup: guarded })(options, callback);
    },
  });
}

interface LookupOptions {
  rules: EgressRules;
  resolve: Resolve;
  name: string;
  port: number;
}

function guardedLookup({ rules, resolve, name, port }: LookupOptions): LookupFunction {
  const checked = callbackify(async (hostname: string) => {
    const answers = await resolve(hostname).catch((cause: unknown) => {
      throw unknownHost(name, cause);
    });
    const addresses = answers.map(({ address }) => address);
    rules.checkAddresses(addresses, { name, port });
    return answers;
  });
  return (hostname, options, callback) =>
    checked(hostname, (error, answers) => {
      const [first] = answers ?? [];
      if (error || !first) callback(error ?? unknownHost(name, undefined), "");
      else if (options.all === true) callback(null, answers);
      else callback(null, first.address, first.family);
    });
}

function unknownHost(name: string, cause: unknown): SignalboxError {
  return new SignalboxError("STEP_FAILED", `The host ${name} cannot be resolved.`, {
    details: { code: "DNS", host: name, happened: false },
    cause,
  });
}

async function systemResolve(name: string): Promise<{ address: string; family: number }[]> {
  return await lookup(name, { all: true });
}
