import { SignalboxError } from "../errors.ts";
import { tagNamed, tagOf } from "./codec-tags.ts";

/**
 * The key that marks what JSON has no word for, as `{"$": name, "v": body}`. Data of users that has such a key is escaped, so that
 * nothing they write is ever taken for a mark: unlike LangGraph's own serializer (langgraphjs #2346), `{lc: 1, ...}` stays data.
 */
const MARK = "$";

/**
 * Any value of a LangGraph channel as JSON text: plain JSON as itself, what JSON cannot say (undefined, NaN, Date, Map, bytes,
 * messages, Send ...) by an explicit mark of a closed list. INVALID_INPUT where the value is cyclic or too deep.
 */
export function encode(value: unknown): string {
  try {
    // The look ahead costs as much as JSON.stringify itself; a replacer function costs five times that.
    return isPlain(value) ? JSON.stringify(value) : write(value);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new SignalboxError("INVALID_INPUT", "A value is cyclic, nested too deeply or too large to be stored.", { cause: error });
  }
}

/** The value `encode` was given; equal to it, never the same object. Text or its UTF-8 bytes. */
export function decode(encoded: string | Uint8Array): unknown {
  const text = typeof encoded === "string" ? encoded : Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength).toString("utf8");
  const value: unknown = JSON.parse(text);
  // Inside a string the quotes would be escaped: where this is not found, no key is the mark.
  return text.includes(`"${MARK}":`) ? revive(value) : value;
}

/** Whether JSON says exactly this. */
function isPlain(value: unknown): boolean {
  switch (typeof value) {
    case "string":
    case "boolean":
      return true;
    case "number":
      return isJsonNumber(value);
    case "object":
      if (value === null) return true;
      if (Array.isArray(value)) return value.every(isPlain) && isDense(value);
      return isPlainRecord(value);
    default:
      return false;
  }
}

function isJsonNumber(value: number): boolean {
  return Number.isFinite(value) && !Object.is(value, -0);
}

/** `every` passes over holes. */
function isDense(list: unknown[]): boolean {
  for (let index = 0; index < list.length; index += 1) if (!(index in list)) return false;
  return true;
}

function isPlainRecord(value: object): value is Record<string, unknown> {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  const record = value as Record<string, unknown>; // an object without a class of its own
  for (const key in record) if (key === MARK || !isPlain(record[key])) return false;
  return true;
}

function write(value: unknown): string {
  switch (typeof value) {
    case "string":
    case "boolean":
      return JSON.stringify(value);
    case "number":
      return isJsonNumber(value) ? JSON.stringify(value) : marked("number", JSON.stringify(Object.is(value, -0) ? "-0" : String(value)));
    case "bigint":
      return marked("bigint", JSON.stringify(String(value)));
    case "object":
      if (value === null) return "null";
      if (Array.isArray(value)) return `[${Array.from(value, write).join(",")}]`;
      return writeObject(value);
    default:
      return marked("undefined", "null");
  }
}

function writeObject(value: object): string {
  const tag = tagOf(value);
  if (tag) return marked(tag.name, write(tag.pack(value)));
  if ("toJSON" in value && typeof value.toJSON === "function") return write((value.toJSON as () => unknown)());
  // As JSON does: own enumerable fields, without functions and symbols.
  const fields = Object.entries(value).filter(([, field]) => typeof field !== "function" && typeof field !== "symbol");
  if (Object.hasOwn(value, MARK)) return marked("record", write(fields));
  return `{${fields.map(([key, field]) => `${JSON.stringify(key)}:${write(field)}`).join(",")}}`;
}

function marked(name: string, body: string): string {
  return `{"${MARK}":"${name}","v":${body}}`;
}

function revive(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index += 1) value[index] = revive(value[index]);
    return value;
  }
  const record = value as Record<string, unknown>; // JSON.parse makes nothing else
  // Every key is an own property already, `__proto__` too, so assigning sets that property and no prototype.
  for (const key of Object.keys(record)) record[key] = revive(record[key]);
  return Object.hasOwn(record, MARK) ? unmarked(record[MARK], record["v"]) : record;
}

function unmarked(name: unknown, body: unknown): unknown {
  switch (name) {
    case "undefined":
      return undefined;
    case "number":
      return Number(body);
    case "bigint":
      return BigInt(String(body));
    case "record":
      // fromEntries defines own properties, so a key `__proto__` stays a key.
      return Object.fromEntries(body as [string, unknown][]); // what `writeObject` wrote
    default:
      return tagNamed(String(name)).unpack(body);
  }
}
