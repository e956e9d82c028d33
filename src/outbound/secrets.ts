import { SignalboxError } from "../errors.ts";
import { referencesIn, type Sendable, type Text } from "./http.ts";

const REFERENCE = /secret:\/\/(env|file)\/([A-Za-z0-9_.-]+)/g;
const HIDDEN = "[secret]";
/** Shorter values are words that occur by themselves. */
const SHORTEST_HIDDEN = 6;

/** The value of `env:NAME` or `file:NAME`; undefined where it cannot be read. */
export type ReadSecret = (reference: string) => Promise<string | undefined>;

/** The same reader; every value it gives is noted, so that whoever writes logs knows what must not be in them. */
export function noteSecrets(read: ReadSecret, values: Set<string>): ReadSecret {
  return async (reference) => {
    const value = await read(reference);
    if (value !== undefined) values.add(value);
    return value;
  };
}

/** The secrets of one request, read when they are used and known only to it. */
export interface Secrets {
  /** The text with its references replaced. REQUEST_REFUSED where one cannot be read. */
  reveal(text: Text): Promise<string>;
  revealJson(value: Sendable): Promise<unknown>;
  /** The text with every secret of this request replaced by a word, also as base64, percent-encoded or inside JSON. */
  hide(text: string): string;
  readonly isUsed: boolean;
}

export function createSecrets(read: ReadSecret, also: readonly string[] = []): Secrets {
  const values = new Set(also);

  async function reveal(text: Text): Promise<string> {
    const written = referencesIn(text);
    // Without references a text is a string, see http.ts.
    if (written === undefined) return text as string;
    let revealed = "";
    let position = 0;
    for (const match of written.matchAll(REFERENCE)) {
      revealed += written.slice(position, match.index) + (await readOne(match[0], `${match[1]}:${match[2]}`));
      position = match.index + match[0].length;
    }
    return revealed + written.slice(position);
  }

  async function readOne(reference: string, name: string): Promise<string> {
    const value = await read(name);
    if (value === undefined) throw unreadable(reference);
    values.add(value);
    return value;
  }

  async function revealJson(value: Sendable): Promise<unknown> {
    if (value === null || typeof value !== "object") return value;
    if (referencesIn(value) !== undefined) return await reveal(value as Text);
    if (Array.isArray(value)) return await Promise.all(value.map(revealJson));
    const entries = Object.entries(value).map(async ([key, item]) => [key, await revealJson(item)] as const);
    return Object.fromEntries(await Promise.all(entries));
  }

  return {
    reveal,
    revealJson,
    hide: (text) => [...values].flatMap(formsOf).reduce((hidden, form) => hidden.replaceAll(form, HIDDEN), text),
    get isUsed() {
      return values.size > 0;
    },
  };
}

function formsOf(value: string): string[] {
  if (value.length < SHORTEST_HIDDEN) return [];
  const bytes = Buffer.from(value);
  const forms = [
    value,
    JSON.stringify(value).slice(1, -1),
    encodeURIComponent(value),
    new URLSearchParams({ "": value }).toString().slice(1),
  ];
  return [...new Set([...forms, bytes.toString("base64"), bytes.toString("base64url")])];
}

function unreadable(reference: string): SignalboxError {
  return new SignalboxError("REQUEST_REFUSED", `The secret ${reference} cannot be read.`, {
    details: { code: "SECRET", reference, happened: false },
  });
}
