import { Duration, UnsignedInt } from "@marcbachmann/cel-js/evaluator";
import { spend } from "./budget.ts";
import type { Json } from "../json.ts";

/** Looking at one value of a result takes about an eighth of evaluating a node. */
const WALK_COST = 1 / 8;
/** Two hundred copies of a megabyte are a result of 200 MB although no copy was made yet. */
const LONG_TEXT = 4_096;

/**
 * A CEL value as JSON: integers become numbers, timestamps RFC 3339, durations seconds with unit, bytes base64. Values that came
 * from the scope are handed back as they are, uncopied. Throws where JSON has no such value (infinity, a type, an integer
 * beyond 2^53).
 */
export function jsonOfCel(value: unknown): Json {
  if (typeof value === "string") return text(value);
  if (typeof value === "boolean" || value === null) return value;
  if (typeof value === "number") return finite(value);
  if (typeof value === "bigint") return integer(value);
  if (typeof value === "object") return structure(value);
  throw new TypeError(`The result is a ${typeof value}, which is not JSON`);
}

function text(value: string): string {
  if (value.length > LONG_TEXT) spend(value.length / 64);
  return value;
}

function finite(value: number): number {
  if (Number.isFinite(value)) return value;
  throw new RangeError(`The result is ${value}, which is not a JSON number`);
}

function integer(value: bigint): number {
  const number = Number(value);
  if (Number.isSafeInteger(number)) return number;
  throw new RangeError(`The result ${value} is beyond 2^53 and would lose digits; make it a string(...)`);
}

function structure(value: object): Json {
  if (Array.isArray(value)) return list(value);
  if (value instanceof Date) return value.toISOString();
  if (value instanceof Duration) return value.toString();
  if (value instanceof UnsignedInt) return integer(value.value);
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value instanceof Map) return record(Object.fromEntries(value) as Record<string, unknown>);
  const prototype: unknown = Object.getPrototypeOf(value);
  // Scopes may be frozen or null-prototype records; anything else (a Type, a namespace) is no value of JSON.
  if (prototype === Object.prototype || prototype === null) return record(value as Record<string, unknown>);
  throw new TypeError("The result is a CEL type or namespace, which is not JSON");
}

function list(items: unknown[]): Json {
  spend(items.length * WALK_COST);
  let copy: Json[] | undefined;
  for (let index = 0; index < items.length; index++) {
    const converted = jsonOfCel(items[index]);
    if (converted !== items[index]) (copy ??= items.slice() as Json[])[index] = converted;
  }
  return copy ?? (items as Json[]);
}

function record(fields: Record<string, unknown>): Json {
  let copy: { [key: string]: Json } | undefined;
  const keys = Object.keys(fields);
  spend(keys.length * WALK_COST);
  for (const key of keys) {
    const field = fields[key];
    if (field === undefined) continue;
    const converted = jsonOfCel(field);
    if (converted !== field) (copy ??= { ...(fields as { [key: string]: Json }) })[key] = converted;
  }
  return copy ?? (fields as { [key: string]: Json });
}
