import type { Json, JsonObject } from "../definition/json.ts";
import { extractOf } from "./extract.ts";
import { chooseByWords, wordsOf } from "./words.ts";

const MAX_DEPTH = 12;
const MAX_TAGS = 5;

/** A value that fits a JSON Schema, filled from a text where the text has something to say; patterns are not understood. */
export function valueFromWords(schema: JsonObject, text: string): Json {
  return fill(schema, { root: schema, text, name: "", depth: 0 });
}

interface Place {
  root: JsonObject;
  text: string;
  /** Name of the property that is filled. */
  name: string;
  depth: number;
}

function fill(given: unknown, place: Place): Json {
  const schema = resolved(given, place.root);
  if (place.depth > MAX_DEPTH) return null;
  if (schema["const"] !== undefined) return schema["const"];
  if (Array.isArray(schema["enum"]) && schema["enum"].length > 0) return chosen(schema["enum"], place.text);
  for (const keyword of ["anyOf", "oneOf"] as const) {
    const options = Array.isArray(schema[keyword]) ? schema[keyword] : [];
    const first = options.find((option) => resolved(option, place.root)["type"] !== "null");
    if (first !== undefined) return fill(first, { ...place, depth: place.depth + 1 });
  }
  if (Array.isArray(schema["allOf"])) return fill(Object.assign({}, ...schema["allOf"].map((part) => resolved(part, place.root))), place);
  switch (typeOf(schema)) {
    case "object":
      return objectOf(schema, place);
    case "array":
      return arrayOf(schema, place);
    case "integer":
    case "number":
      return numberOf(schema, place);
    case "boolean":
      return wordsOf(place.name).some(({ stem }) => wordsOf(place.text).some((said) => said.stem === stem));
    case "null":
      return null;
    default:
      return stringOf(schema, place);
  }
}

function resolved(given: unknown, root: JsonObject): JsonObject {
  let schema = isObject(given) ? given : {};
  for (let hops = 0; typeof schema["$ref"] === "string" && hops < MAX_DEPTH; hops += 1) {
    const keys = schema["$ref"].replace(/^#\/?/, "").split("/").filter(Boolean);
    const target = keys.reduce<unknown>(
      (at, key) => (isObject(at) ? at[key.replaceAll("~1", "/").replaceAll("~0", "~")] : undefined),
      root,
    );
    schema = isObject(target) ? target : {};
  }
  return schema;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function typeOf({ type, properties, items }: JsonObject): string {
  if (typeof type === "string") return type;
  if (Array.isArray(type)) return type.filter((name) => typeof name === "string").find((name) => name !== "null") ?? "null";
  if (properties !== undefined) return "object";
  return items === undefined ? "string" : "array";
}

function chosen(values: Json[], text: string): Json {
  const real = values.filter((value) => value !== null);
  return real.length === 0 ? null : (real[chooseByWords(text, real.map(String)).index] ?? null);
}

function objectOf(schema: JsonObject, place: Place): Json {
  const properties = Object.entries(isObject(schema["properties"]) ? schema["properties"] : {});
  return Object.fromEntries(properties.map(([name, property]) => [name, fill(property, { ...place, name, depth: place.depth + 1 })]));
}

function arrayOf(schema: JsonObject, place: Place): Json {
  const { minItems, maxItems, items } = schema;
  const most = typeof maxItems === "number" ? maxItems : MAX_TAGS;
  if (isObject(items) && typeOf(resolved(items, place.root)) === "string" && resolved(items, place.root)["enum"] === undefined) {
    const counts = new Map<string, number>();
    for (const { word } of wordsOf(place.text)) counts.set(word, (counts.get(word) ?? 0) + 1);
    const common = [...counts].toSorted((left, right) => right[1] - left[1]).map(([word]) => word);
    if (common.length >= Number(minItems ?? 0)) return common.slice(0, most);
  }
  const length = Math.min(Math.max(1, Number(minItems ?? 1)), most);
  return Array.from({ length }, () => fill(items ?? {}, { ...place, depth: place.depth + 1 }));
}

function numberOf(schema: JsonObject, { text }: Place): number {
  const isWhole = typeOf(schema) === "integer";
  const found = Number(/-?\d+(?:\.\d+)?/.exec(text)?.[0] ?? 0);
  const least =
    typeof schema["minimum"] === "number"
      ? schema["minimum"]
      : typeof schema["exclusiveMinimum"] === "number"
        ? schema["exclusiveMinimum"] + (isWhole ? 1 : 1e-6)
        : -Infinity;
  const most =
    typeof schema["maximum"] === "number"
      ? schema["maximum"]
      : typeof schema["exclusiveMaximum"] === "number"
        ? schema["exclusiveMaximum"] - (isWhole ? 1 : 1e-6)
        : Infinity;
  const step = typeof schema["multipleOf"] === "number" ? schema["multipleOf"] : isWhole ? 1 : 0;
  const bounded = Math.min(Math.max(found, least), most);
  return step > 0 ? Math.min(Math.max(Math.round(bounded / step), Math.ceil(least / step)), Math.floor(most / step)) * step : bounded;
}

const FORMATS: Readonly<Record<string, string>> = {
  "date-time": "1970-01-01T00:00:00Z",
  date: "1970-01-01",
  time: "00:00:00Z",
  email: "nobody@example.com",
  uri: "https://example.com/",
  uuid: "00000000-0000-4000-8000-000000000000",
  hostname: "example.com",
  ipv4: "127.0.0.1",
  ipv6: "::1",
};

function stringOf(schema: JsonObject, { text }: Place): string {
  const format = typeof schema["format"] === "string" ? FORMATS[schema["format"]] : undefined;
  if (format !== undefined) return format;
  const extract = extractOf(text);
  const most = typeof schema["maxLength"] === "number" ? schema["maxLength"] : extract.length;
  const least = typeof schema["minLength"] === "number" ? schema["minLength"] : 0;
  // JSON Schema counts code points, and so does Array.from.
  return Array.from(extract).slice(0, most).join("").padEnd(least, "-");
}
