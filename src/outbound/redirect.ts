import type { Dispatcher } from "undici";
import { SignalboxError } from "../errors.ts";
import { parseUrl, type Prepared } from "./prepare.ts";

type Reply = Pick<Dispatcher.ResponseData, "statusCode" | "headers">;

const REDIRECTS: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
/** Headers that speak to one receiver and to nobody it may point at. */
const PERSONAL = /authorization|cookie|token|key|secret|signature|auth/;
/** All that goes along to another origin where any header may hold a secret. */
const IMPERSONAL: ReadonlySet<string> = new Set(["user-agent", "accept", "accept-encoding", "content-type"]);

export function isRedirect({ statusCode, headers }: Reply): boolean {
  return REDIRECTS.has(statusCode) && typeof headers["location"] === "string";
}

/**
 * Where a redirect points, as browsers follow it: POST becomes GET except for 307 and 308, and personal headers stay with the origin
 * they were meant for. REQUEST_REFUSED where it leads from https to http, or where a body of a request with secrets would go to another
 * origin.
 */
export function nextHop(hop: Prepared, { statusCode, headers }: Reply, hasSecrets: boolean): Prepared {
  const url = parseUrl(String(headers["location"]), hop.url);
  url.hash = "";
  if (hop.url.protocol === "https:" && url.protocol === "http:") throw refused("The redirect leads from https to http.", url.hostname);
  const becomesGet = hop.method !== "GET" && hop.method !== "HEAD" && (statusCode === 303 || (statusCode < 303 && hop.method === "POST"));
  const method = becomesGet ? "GET" : hop.method;
  const body = becomesGet ? undefined : hop.body;
  if (url.origin === hop.url.origin) return { ...hop, url, method, body };
  if (hasSecrets && body !== undefined) throw refused("The redirect would send a body with secrets to another host.", url.hostname);
  const kept = Object.entries(hop.headers).filter(([name]) => (hasSecrets ? IMPERSONAL.has(name) : !PERSONAL.test(name)));
  return { url, method, headers: Object.fromEntries(kept), body };
}

function refused(message: string, host: string): SignalboxError {
  return new SignalboxError("REQUEST_REFUSED", message, { details: { code: "REFUSED_REDIRECT", host } });
}
