import { SignalboxError } from "../errors.ts";
import type { HttpRequest } from "./http.ts";
import type { Secrets } from "./secrets.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"] as const;
type Method = (typeof METHODS)[number];

/** Headers that belong to the connection, or that ask the metadata server of a cloud for credentials. */
const STRIPPED =
  /^(?:host|connection|content-length|transfer-encoding|keep-alive|upgrade|te|trailer|expect|proxy-.*|metadata-flavor|x-google-metadata-request|x-goog-.*|x-aws-ec2-metadata-.*)$/;

/** A request as it goes out, secrets included. */
export interface Prepared {
  url: URL;
  method: Method;
  headers: Record<string, string>;
  body: string | undefined;
}

/** Puts the request together. REQUEST_REFUSED for what is no URL; INVALID_INPUT for a method there is not. */
export async function prepare(asked: HttpRequest, secrets: Secrets): Promise<Prepared> {
  const url = parseUrl(await secrets.reveal(asked.url));
  for (const [name, value] of Object.entries(asked.query ?? {})) url.searchParams.append(name, await secrets.reveal(value));
  url.hash = "";
  const headers: Record<string, string> = {
    "user-agent": "signalbox",
    accept: "application/json, */*;q=0.5",
    "accept-encoding": "identity",
  };
  const { body, contentType } = await writeBody(asked.body, secrets);
  if (contentType !== undefined) headers["content-type"] = contentType;
  for (const [name, value] of Object.entries(asked.headers ?? {})) {
    const lower = name.toLowerCase();
    if (!STRIPPED.test(lower)) headers[lower] = await secrets.reveal(value);
  }
  return { url, method: methodOf(asked.method ?? "GET"), headers, body };
}

async function writeBody(body: HttpRequest["body"], secrets: Secrets): Promise<{ body: string | undefined; contentType?: string }> {
  if (body === undefined) return { body: undefined };
  if ("text" in body) return { body: await secrets.reveal(body.text), contentType: "text/plain; charset=utf-8" };
  if ("json" in body) return { body: JSON.stringify(await secrets.revealJson(body.json)), contentType: "application/json" };
  const form = new URLSearchParams();
  for (const [name, value] of Object.entries(body.form)) form.append(name, await secrets.reveal(value));
  return { body: form.toString(), contentType: "application/x-www-form-urlencoded" };
}

function methodOf(text: string): Method {
  const method = METHODS.find((known) => known === text.toUpperCase());
  if (method) return method;
  throw new SignalboxError("INVALID_INPUT", `There is no method "${text.slice(0, 20)}".`, { details: { happened: false } });
}

/** REQUEST_REFUSED where the text is no URL. */
export function parseUrl(text: string, base?: URL): URL {
  const url = URL.parse(text, base?.href);
  if (url) return url;
  // Not repeated: it may be a secret that was read wrongly.
  throw new SignalboxError("REQUEST_REFUSED", "The address is no URL.", { details: { code: "REFUSED_URL", happened: false } });
}
