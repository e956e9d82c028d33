import { z } from "zod";
import type { Issue } from "../../errors.ts";
import { pointerTo } from "../pointer.ts";
import { didYouMean } from "../closest-name.ts";

type ZodIssue = z.core.$ZodIssue;

/**
 * What Zod found, as issues with JSON pointers: `prefix` is where the parsed value stands in the document. Codes: MISSING_FIELD,
 * UNKNOWN_FIELD, WRONG_TYPE, OUT_OF_RANGE, INVALID_VALUE, or `code` for all of them. With `schema`, a misspelt field gets a hint.
 */
export function issuesOfZod(
  error: Pick<z.core.$ZodError, "issues">,
  prefix = "",
  options: { code?: string; schema?: z.ZodType } = {},
): Issue[] {
  return withoutEchoes(error.issues.flatMap((issue) => flatten(issue, []))).map(({ code, path, message, unknownKey }) => ({
    code: options.code ?? code,
    pointer: pointerTo(prefix, ...path),
    message,
    ...(unknownKey === undefined ? {} : hintFor(unknownKey, fieldsAt(options.schema, path.slice(0, -1)))),
  }));
}

/** A list in place of a text is also too short a text to Zod; that its type is wrong says it all. */
function withoutEchoes(found: Found[]): Found[] {
  const wrong = new Set(found.filter(({ code }) => code === "WRONG_TYPE").map(({ path }) => pointerTo("", ...path)));
  return found.filter(({ code, path }) => code !== "OUT_OF_RANGE" || !wrong.has(pointerTo("", ...path)));
}

interface Found {
  code: string;
  path: PropertyKey[];
  message: string;
  unknownKey?: string;
}

function flatten(issue: ZodIssue, parent: PropertyKey[]): Found[] {
  const path = [...parent, ...issue.path];
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => ({
      code: "UNKNOWN_FIELD",
      path: [...path, key],
      message: `There is no field "${key}" here.`,
      unknownKey: key,
    }));
  }
  if (issue.code === "invalid_union") return flattenUnion(issue, path);
  if (issue.code === "invalid_key" || issue.code === "invalid_element") {
    return [{ code: "INVALID_VALUE", path, message: sentence(issue.issues[0]?.message ?? issue.message) }];
  }
  if (issue.code === "invalid_type") {
    // Zod tells a missing field by its message only.
    return issue.message.endsWith("received undefined")
      ? [{ code: "MISSING_FIELD", path, message: sentence(`expected ${issue.expected}, found nothing`) }]
      : [{ code: "WRONG_TYPE", path, message: sentence(issue.message) }];
  }
  const isSize = issue.code === "too_big" || issue.code === "too_small";
  return [{ code: isSize ? "OUT_OF_RANGE" : "INVALID_VALUE", path, message: sentence(issue.message) }];
}

/** Of a union's alternatives, the one that is not wrong at its very root was meant; where none is, all are named. */
function flattenUnion(issue: Extract<ZodIssue, { code: "invalid_union" }>, path: PropertyKey[]): Found[] {
  const rootTypes = issue.errors.map((issues) => issues.find((inner) => inner.path.length === 0 && inner.code === "invalid_type"));
  const meant = issue.errors.filter((_, index) => rootTypes[index] === undefined);
  if (meant.length === 1 && meant[0]) return meant[0].flatMap((inner) => flatten(inner, path));
  const expected = rootTypes.flatMap((type) => (type?.code === "invalid_type" ? [type.expected] : []));
  const isTypeOnly = expected.length > 0 && expected.length === issue.errors.length;
  return [
    isTypeOnly
      ? { code: "WRONG_TYPE", path, message: `Expected ${[...new Set(expected)].join(" or ")}.` }
      : { code: "INVALID_VALUE", path, message: sentence(meant[0]?.[0]?.message ?? issue.message) },
  ];
}

function sentence(message: string): string {
  const text = message.replace(/^Invalid input: /, "").replace("expected record", "expected object");
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}${/[.!?]$/.test(text) ? "" : "."}`;
}

function hintFor(key: string, fields: readonly string[]): { hint?: string } {
  if (fields.length === 0) return {};
  return { hint: didYouMean(key, fields) ?? `Fields are ${fields.join(", ")}.` };
}

/** Names of the fields an object may have at a path of the schema. */
function fieldsAt(schema: z.core.$ZodType | undefined, path: readonly PropertyKey[]): string[] {
  if (schema instanceof z.ZodUnion) return schema.options.flatMap((option) => fieldsAt(option, path));
  const inner = unwrapped(schema);
  if (inner !== schema) return fieldsAt(inner, path);
  const [key, ...rest] = path;
  if (schema instanceof z.ZodObject) {
    if (key === undefined) return Object.keys(schema.shape);
    const shape: Record<string, z.core.$ZodType> = schema.shape;
    return fieldsAt(shape[String(key)], rest);
  }
  if (key === undefined) return [];
  if (schema instanceof z.ZodArray) return fieldsAt(schema.element, rest);
  if (schema instanceof z.ZodRecord) return fieldsAt(schema.valueType, rest);
  return [];
}

function unwrapped(schema: z.core.$ZodType | undefined): z.core.$ZodType | undefined {
  const isWrapper =
    schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodNullable || schema instanceof z.ZodPipe;
  if (!isWrapper) return schema;
  return schema instanceof z.ZodPipe ? schema.in : schema.unwrap();
}
