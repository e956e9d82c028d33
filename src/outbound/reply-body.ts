import type { Dispatcher } from "undici";
import { jsonBoundIssues } from "../definition/json-bounds.ts";
import type { Json } from "../definition/json.ts";
import { SignalboxError } from "../errors.ts";
import type { HttpReply } from "./http.ts";

type Body = Dispatcher.ResponseData["body"];

/** The bytes of a body, stopped at the limit while it comes: what is said about its length is not believed. */
export async function readBytes(body: Body, { maxBytes, host }: { maxBytes: number; host: string }): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of body as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      body.destroy();
      throw new SignalboxError("TOO_LARGE", `${host} answered with more than ${maxBytes} bytes.`, {
        details: { code: "TOO_LARGE", host, limit: maxBytes },
      });
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks, bytes);
}

/** A body as its content type says. `hide` takes out what must not be shown. */
export function readBody(bytes: Buffer, contentType: string, hide: (text: string) => string): Pick<HttpReply, "body" | "bodyType"> {
  if (bytes.length === 0) return { body: null, bodyType: "none" };
  const [type = "", ...parameters] = contentType
    .toLowerCase()
    .split(";")
    .map((part) => part.trim());
  const isJson = /^application\/(?:[\w.+-]+\+)?json$/.test(type);
  const isText = isJson || /^text\/|^application\/(?:xml|[\w.+-]+\+xml|javascript|x-www-form-urlencoded|x-ndjson|yaml)$/.test(type);
  // Byte for byte, so that a secret is found in binary data too.
  if (!isText) return { body: Buffer.from(hide(bytes.toString("latin1")), "latin1").toString("base64"), bodyType: "base64" };
  const text = hide(decode(bytes, parameters.find((part) => part.startsWith("charset="))?.slice(8)));
  const json = isJson ? parseJson(text, hide) : undefined;
  return json === undefined ? { body: text, bodyType: "text" } : { body: json, bodyType: "json" };
}

function decode(bytes: Buffer, charset: string | undefined): string {
  try {
    return new TextDecoder(charset?.replaceAll('"', "") ?? "utf-8").decode(bytes);
  } catch {
    return new TextDecoder().decode(bytes);
  }
}

/** Undefined where it is no JSON, or nested deeper than anything here walks. A text in it may be JSON once more. */
function parseJson(text: string, hide: (text: string) => string): Json | undefined {
  try {
    const value = JSON.parse(text, (_key, item: Json) => (typeof item === "string" ? hide(item) : item)) as Json;
    return jsonBoundIssues(value).length > 0 ? undefined : value;
  } catch {
    return undefined;
  }
}
