import type { Json } from "../definition/json.ts";

/** Text that may hold secret references (`secret://env/NAME`, `secret://file/NAME`); they are replaced when the request is sent. */
export interface SecretText {
  [REFERENCE]: string;
}

/** Plain text is sent as it is: a reference that came in with data stays text. */
export type Text = string | SecretText;

/** JSON whose strings may be secret texts. */
export type Sendable = null | boolean | number | Text | Sendable[] | { [key: string]: Sendable };

/** A request to somebody outside. */
export interface HttpRequest {
  /** GET unless told. */
  method?: string | undefined;
  url: Text;
  query?: Readonly<Record<string, Text>> | undefined;
  headers?: Readonly<Record<string, Text>> | undefined;
  body?: { json: Sendable } | { text: Text } | { form: Readonly<Record<string, Text>> } | undefined;
  /** For everything together, redirects included, milliseconds; 30,000 unless told. */
  timeoutMs?: number | undefined;
  /** Largest body of the reply; 1 MiB unless told. */
  maxBytes?: number | undefined;
  /** Redirects followed, each checked like the first address; none unless told. */
  maxRedirects?: number | undefined;
  signal?: AbortSignal | undefined;
  /** Texts of the request that are nobody else's business: taken out of the reply, and kept from other hosts. */
  hidden?: readonly string[] | undefined;
}

/** What came back, whatever its status. Secrets of the request that are echoed in it are replaced by a word. */
export interface HttpReply {
  status: number;
  /** Names in lowercase; `set-cookie` is left out. */
  headers: Record<string, string>;
  /** JSON where the content type says so, text, or base64 for anything else; null when empty. */
  body: Json;
  bodyType: "json" | "text" | "base64" | "none";
  redirects: number;
  durationMs: number;
}

/**
 * Sends a request through the guard. Every status is a reply. REQUEST_REFUSED (not retryable), STEP_FAILED (retryable), STEP_TIMEOUT and
 * TOO_LARGE carry a finer `details.code`, and `details.happened: false` where the receiver cannot have seen the request.
 */
export type HttpFetch = (request: HttpRequest) => Promise<HttpReply>;

// A symbol cannot come in with JSON, so no data can pose as a secret text.
const REFERENCE = Symbol("secret reference");

/** Marks text an author wrote as holding secret references. */
export function secretText(text: string): SecretText {
  return { [REFERENCE]: text };
}

/** The text with its references in it; undefined where it is plain. */
export function referencesIn(value: unknown): string | undefined {
  return typeof value === "object" && value !== null && REFERENCE in value ? (value as SecretText)[REFERENCE] : undefined;
}
