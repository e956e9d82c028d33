import { Ajv, type ErrorObject, type Options, type ValidateFunction } from "ajv";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { SignalboxError, type Issue } from "../errors.ts";
import { withBudget } from "./cel/budget.ts";
import { compilePattern, matchesPattern } from "./cel/regex.ts";
import { didYouMean } from "./closest-name.ts";
import type { JsonObject } from "./json.ts";
import { pointerTo } from "./pointer.ts";

/** Objects and lists in a schema. Compiling costs 0.3 ms for each, at the save and in every process that runs the workflow. */
const MAX_SCHEMA_NODES = 1_000;
/** Above this many values only the first problem of an input is looked for: a list of 300,000 wrong items has as many errors. */
const MAX_NODES_FOR_ALL = 2_000;
const MAX_ISSUES = 100;

/** Tells what is wrong with an execution's input, with pointers under `/input`; nothing where it fits. */
export type InputCheck = (input: JsonObject) => Issue[];

/**
 * Compiles a workflow's input schema (JSON Schema 2020-12, or draft-07 where `$schema` says so). Patterns run through RE2, remote
 * references are refused. INVALID_DEFINITION where the schema is not usable. Keep the result: compiling costs milliseconds.
 */
export function compileInputSchema(schema: JsonObject): InputCheck {
  const issues = [...structureIssues(schema), ...metaSchemaIssues(schema)];
  if (issues.length > 0) throw unusable(issues);
  const { $schema, $id: _id, ...rest } = schema;
  const Validator = isDraft7($schema) ? Ajv : Ajv2020;
  try {
    const first = createValidator(Validator, { allErrors: false }).compile(rest);
    // A schema that refers to itself without taking a step into the value has no end; better found now.
    first({});
    let all: ValidateFunction | undefined;
    return (input) => {
      if (isLarge(input)) return withinBudget(() => checked(first, input));
      all ??= createValidator(Validator, { allErrors: true }).compile(rest);
      const validate = all;
      return withinBudget(() => checked(validate, input));
    };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    throw unusable([{ code: "INVALID_SCHEMA", pointer: "/input", message: `The input schema cannot be used: ${message}.` }], error);
  }
}

function unusable(issues: Issue[], cause?: unknown): SignalboxError {
  return new SignalboxError("INVALID_DEFINITION", issues[0]?.message, { issues, cause });
}

function isDraft7($schema: unknown): boolean {
  return typeof $schema === "string" && /draft-0[467]/.test($schema);
}

/** What is wrong with an input schema itself; pointers start at `/input` of the definition. */
export function inputSchemaIssues(schema: JsonObject | undefined): Issue[] {
  if (!schema) return [];
  try {
    compileInputSchema(schema);
    return [];
  } catch (error) {
    if (error instanceof SignalboxError) return error.issues;
    throw error;
  }
}

function createValidator(Validator: typeof Ajv, { allErrors }: { allErrors: boolean }): Ajv {
  // The schema was held against its meta-schema before, by a validator that is kept: compiling that one costs 15 ms.
  const options: Options = {
    strict: false,
    allErrors,
    verbose: true,
    logger: false,
    validateSchema: false,
    meta: false,
    code: { regExp: linearRegExp },
  };
  const validator = new Validator(options);
  addFormats.default(validator);
  return validator;
}

const metaSchemas = { draft7: undefined as Ajv | undefined, newest: undefined as Ajv | undefined };

function metaSchemaIssues({ $schema, ...rest }: JsonObject): Issue[] {
  const validator = isDraft7($schema)
    ? (metaSchemas.draft7 ??= new Ajv({ logger: false }))
    : (metaSchemas.newest ??= new Ajv2020({ logger: false }));
  if (validator.validateSchema(rest) === true) return [];
  // Alternatives report each of their failures at the same place; the first one says enough.
  const byPointer = new Map(
    (validator.errors ?? []).toReversed().map(({ instancePath, message }) => [instancePath, message ?? "does not fit"]),
  );
  return [...byPointer].map(([path, message]) => ({
    code: "INVALID_SCHEMA",
    pointer: `/input${path}`,
    message: `This is no JSON Schema: it ${message}.`,
  }));
}

/** A schema's author and the sender of an input are two people: no pattern of the one may let the other stop the service. */
const linearRegExp = Object.assign(
  (pattern: string) => {
    compilePattern(pattern);
    // Ajv keeps one engine per text of it: without `toString` all patterns of a schema would be the first one.
    return { test: (text: string) => matchesPattern(text, pattern), toString: () => pattern };
  },
  { code: "linearRegExp" },
);

function withinBudget(check: () => Issue[]): Issue[] {
  try {
    return withBudget(check);
  } catch (error) {
    return [
      {
        code: "TOO_LARGE",
        pointer: "/input",
        message: "The input is too large or too deep for its schema.",
        hint: error instanceof Error ? error.message : undefined,
      },
    ];
  }
}

function checked(validate: ValidateFunction, input: JsonObject): Issue[] {
  if (validate(input)) return [];
  return (validate.errors ?? []).slice(0, MAX_ISSUES).map(issueOf);
}

function issueOf(error: ErrorObject): Issue {
  const pointer = `/input${error.instancePath}`;
  const { missingProperty, additionalProperty, unevaluatedProperty, allowedValues } = error.params as Record<string, unknown>;
  if (typeof missingProperty === "string")
    return { code: "MISSING_FIELD", pointer: pointerTo(pointer, missingProperty), message: `"${missingProperty}" is missing.` };
  const unknown = additionalProperty ?? unevaluatedProperty;
  if (typeof unknown === "string") {
    const known = Object.keys((error.parentSchema?.["properties"] as object | undefined) ?? {});
    return {
      code: "UNKNOWN_FIELD",
      pointer: pointerTo(pointer, unknown),
      message: `There is no field "${unknown}" here.`,
      hint: didYouMean(unknown, known),
    };
  }
  const allowed = Array.isArray(allowedValues) ? `: ${allowedValues.map(String).join(", ")}` : "";
  return { code: CODES[error.keyword] ?? "INVALID_VALUE", pointer, message: `It ${error.message ?? "does not fit"}${allowed}.` };
}

const CODES: Record<string, string> = {
  type: "WRONG_TYPE",
  minimum: "OUT_OF_RANGE",
  maximum: "OUT_OF_RANGE",
  exclusiveMinimum: "OUT_OF_RANGE",
  exclusiveMaximum: "OUT_OF_RANGE",
  minLength: "OUT_OF_RANGE",
  maxLength: "OUT_OF_RANGE",
  minItems: "OUT_OF_RANGE",
  maxItems: "OUT_OF_RANGE",
};

function isLarge(value: unknown): boolean {
  let count = 0;
  const open: unknown[] = [value];
  while (open.length > 0 && count <= MAX_NODES_FOR_ALL) {
    const item = open.pop();
    count++;
    if (typeof item === "object" && item !== null) open.push(...Object.values(item).slice(0, MAX_NODES_FOR_ALL));
  }
  return count > MAX_NODES_FOR_ALL;
}

/** What Ajv would take, but cannot be answered for in a service: size, and comparing every item of a list with every other. */
function structureIssues(schema: JsonObject): Issue[] {
  const issues: Issue[] = [];
  let nodes = 0;
  const open: { value: unknown; pointer: string }[] = [{ value: schema, pointer: "/input" }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { value, pointer } = next;
    if (typeof value !== "object" || value === null) continue;
    if (++nodes > MAX_SCHEMA_NODES)
      return [{ code: "INVALID_SCHEMA", pointer: "/input", message: `The input schema has more than ${MAX_SCHEMA_NODES} nodes.` }];
    if (comparesAll(value as Record<string, unknown>)) {
      issues.push({
        code: "INVALID_SCHEMA",
        pointer: pointerTo(pointer, "uniqueItems"),
        message: "uniqueItems compares every item with every other.",
        hint: "Add maxItems of at most 1000, or give the items a scalar type.",
      });
    }
    for (const [key, item] of Object.entries(value)) open.push({ value: item, pointer: pointerTo(pointer, key) });
  }
  return issues;
}

function comparesAll({ uniqueItems, maxItems, items }: Record<string, unknown>): boolean {
  if (uniqueItems !== true || (typeof maxItems === "number" && maxItems <= 1_000)) return false;
  const type = typeof items === "object" && items !== null ? (items as { type?: unknown }).type : undefined;
  return typeof type !== "string" || type === "object" || type === "array";
}
