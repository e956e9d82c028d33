import type { FastifyRequest } from "fastify";
import { z } from "zod";
import { pointerTo } from "../../definition/pointer.ts";
import type { Issue } from "../../errors.ts";
import type { Operation } from "../operations/operation.ts";
import { invalidInput } from "../parse.ts";

type Kind = "text" | "number" | "boolean" | "list";

/** Where each input field of an operation travels in REST. */
export interface FieldPlaces {
  path: readonly string[];
  /** Query name -> type; those of `filter` are flat in the query. */
  query: ReadonlyMap<string, Kind>;
  filter: ReadonlyMap<string, Kind>;
  /** `input`: the whole body is that field; `fields`: the body holds the fields; null: no body. */
  body: { is: "input" } | { is: "fields"; names: readonly string[] } | null;
}

/** Reads the places off the input schema, once at start. */
export function fieldPlaces({ route, input, headers = {} }: Operation): FieldPlaces {
  const [method, url] = route.split(" ") as [string, string]; // the template literal type has exactly one space
  const kinds = kindsOf(input);
  const path = [...url.matchAll(/:(\w+)/g)].map((match) => match[1] as string);
  const isBodyWhole = kinds.has("input");
  const hasBody = method === "POST" || method === "PUT";
  const rest = [...kinds].filter(
    ([name]) => !path.includes(name) && name !== "input" && name !== "filter" && headers[name]?.read === undefined,
  );
  const filterSchema = input.shape["filter"];
  return {
    path,
    filter: filterSchema instanceof z.ZodOptional ? kindsOf(filterSchema.unwrap() as z.ZodObject) : new Map(), // every filter is an optional object
    query: new Map(
      hasBody && !isBodyWhole ? [] : [...rest.filter(([name]) => headers[name] === undefined), ...headerAndQuery(kinds, headers)],
    ),
    body: !hasBody ? null : isBodyWhole ? { is: "input" } : { is: "fields", names: rest.map(([name]) => name) },
  };
}

/** Fields that `read` picks out of a shared header may be given in the query too. */
function headerAndQuery(kinds: ReadonlyMap<string, Kind>, headers: NonNullable<Operation["headers"]>): [string, Kind][] {
  return [...kinds].filter(([name]) => headers[name]?.read !== undefined);
}

/** The operation's raw input, assembled from path, query, headers and body. INVALID_INPUT for what has no place. */
export function createReader(operation: Operation): (request: FastifyRequest) => Record<string, unknown> {
  const places = fieldPlaces(operation);
  const headers = Object.entries(operation.headers ?? {});
  const aliases = operation.bodyAliases;

  return (request) => {
    const raw: Record<string, unknown> = {};
    const issues: Issue[] = [];
    if (places.body?.is === "input") raw["input"] = withoutAliases(request.body === undefined ? {} : request.body, aliases);
    if (places.body?.is === "fields") readFields(request.body ?? {}, places.body.names, raw, issues);
    for (const [field, { header, read }] of headers) {
      const text = request.headers[header];
      const value = typeof text === "string" && read ? read(text) : text;
      if (value !== undefined) raw[field] = value;
    }
    readQuery(request.query as Record<string, string | string[]>, places, raw, issues); // Fastify's parser gives texts only
    const params = request.params as Record<string, string>; // and so does its router
    for (const name of places.path) raw[name] = numeric(operation, name) ? toKind("number", params[name] ?? "") : params[name];
    if (issues.length > 0) throw invalidInput(issues);
    return raw;
  };
}

function readFields(body: unknown, names: readonly string[], raw: Record<string, unknown>, issues: Issue[]): void {
  if (typeof body !== "object" || body === null || Array.isArray(body)) {
    issues.push({ code: "WRONG_TYPE", pointer: "", message: "must be object" });
    return;
  }
  for (const [key, value] of Object.entries(body)) {
    if (names.includes(key)) raw[key] = value;
    else issues.push({ code: "UNKNOWN_FIELD", pointer: pointerTo("", key), message: "is not a known field" });
  }
}

function readQuery(
  query: Record<string, string | string[]>,
  { query: known, filter }: FieldPlaces,
  raw: Record<string, unknown>,
  issues: Issue[],
): void {
  for (const [key, value] of Object.entries(query)) {
    const name = camelCase(key);
    const own = known.get(name);
    const inFilter = filter.get(name);
    if (own) raw[name] = toKind(own, value);
    else if (inFilter) raw["filter"] = { ...(raw["filter"] as object | undefined), [name]: toKind(inFilter, value) };
    else issues.push({ code: "UNKNOWN_PARAMETER", pointer: pointerTo("", key), message: "is not a known query parameter" });
  }
}

function kindsOf(schema: z.ZodObject): Map<string, Kind> {
  return new Map(Object.entries(schema.shape).map(([name, field]) => [name, kindOf(field as z.ZodType)])); // shapes hold schemas
}

function kindOf(field: z.ZodType): Kind {
  const inner = field instanceof z.ZodOptional || field instanceof z.ZodDefault ? field.unwrap() : field;
  if (inner instanceof z.ZodOptional || inner instanceof z.ZodDefault) return kindOf(inner);
  if (inner instanceof z.ZodNumber) return "number";
  if (inner instanceof z.ZodBoolean) return "boolean";
  return inner instanceof z.ZodArray ? "list" : "text";
}

function numeric({ input }: Operation, name: string): boolean {
  return kindOf(input.shape[name] as z.ZodType) === "number"; // path names are input fields, a test holds it
}

/** A text as the type its field has; what does not read as one stays text, for the schema to refuse. */
function toKind(kind: Kind, value: string | string[]): unknown {
  if (kind === "list") return Array.isArray(value) ? value : value.split(",");
  if (typeof value !== "string") return value;
  if (kind === "number") return /^-?\d+(\.\d+)?$/.test(value) ? Number(value) : value;
  if (kind === "boolean") return value === "true" ? true : value === "false" ? false : value;
  return value;
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_match, letter: string) => letter.toUpperCase());
}

function withoutAliases(body: unknown, aliases: Record<string, string> | undefined): unknown {
  if (!aliases || typeof body !== "object" || body === null || Array.isArray(body)) return body;
  const used = Object.entries(aliases).filter(([alias, name]) => Object.hasOwn(body, alias) && !Object.hasOwn(body, name));
  if (used.length === 0) return body;
  const names = new Map(used);
  return Object.fromEntries(Object.entries(body).map(([key, value]) => [names.get(key) ?? key, value]));
}
