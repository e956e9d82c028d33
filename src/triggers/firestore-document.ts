import type { Json, JsonObject } from "../definition/json.ts";

/** A document's address in an event: `//firestore.googleapis.com/projects/p/databases/d` and `documents/orders/4711`. */
const SOURCE = /^\/\/firestore\.googleapis\.com\/projects\/[^/]+\/databases\/([^/]+)$/;
const SUBJECT = /^documents\/(.+)$/;

/** The parts of a document's path that a pattern like `orders/{orderId}` names; undefined where the path is another one. */
export function paramsOf(pattern: string, path: string): Record<string, string> | undefined {
  const wanted = pattern.split("/");
  const given = path.split("/");
  if (wanted.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, part] of wanted.entries()) {
    const value = given[index] ?? "";
    const [, name] = /^\{(\w+)\}$/.exec(part) ?? [];
    if (name !== undefined) params[name] = value;
    else if (part !== value) return undefined;
  }
  return params;
}

export function addressOf(source: string, subject: string | undefined): { database: string; path: string } | undefined {
  const [, database] = SOURCE.exec(source) ?? [];
  const [, path] = SUBJECT.exec(subject ?? "") ?? [];
  return database === undefined || path === undefined ? undefined : { database, path };
}

/** A change in Firestore's own JSON as plain JSON: the fields after it, before it, and the names of those that changed. */
export function plainChange(change: Json, path: string): JsonObject {
  const { value, oldValue, updateMask } = objectOf(change);
  const { fieldPaths } = objectOf(updateMask);
  return { path, value: documentOf(value), oldValue: documentOf(oldValue), changed: Array.isArray(fieldPaths) ? fieldPaths : [] };
}

/** Null for a document that is not there: before it was created, after it was deleted. */
function documentOf(document: Json | undefined): Json {
  const { name, fields } = objectOf(document);
  return name === undefined && fields === undefined ? null : plainFields(fields);
}

function plainFields(fields: Json | undefined): JsonObject {
  return Object.fromEntries(Object.entries(objectOf(fields)).map(([name, value]) => [name, plainValue(value)]));
}

/**
 * A value of Firestore as JSON has it. What JSON has no word for stays text: times, references, bytes (base64), integers beyond 2^53,
 * NaN and the infinities.
 */
function plainValue(value: Json): Json {
  const [[kind, inner] = ["nullValue", null]] = Object.entries(objectOf(value));
  switch (kind) {
    case "integerValue": {
      const number = Number(inner);
      return Number.isSafeInteger(number) ? number : inner;
    }
    case "mapValue":
      return plainFields(objectOf(inner)["fields"]);
    case "arrayValue": {
      const { values } = objectOf(inner);
      return Array.isArray(values) ? values.map(plainValue) : [];
    }
    case "geoPointValue": {
      const { latitude = 0, longitude = 0 } = objectOf(inner);
      return { latitude, longitude };
    }
    case "nullValue":
      return null;
    default:
      return inner;
  }
}

function objectOf(value: Json | undefined): JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}
