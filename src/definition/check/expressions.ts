import type { Issue, SignalboxError } from "../../errors.ts";
import { createTypeFinder, type RootName, type Shapes } from "../cel/environment.ts";
import { celFailure } from "../cel/failure.ts";
import type { Reference } from "../cel/nodes.ts";
import { parseExpression, type Expression } from "../expression.ts";
import type { Json, JsonObject } from "../json.ts";
import type { Variable } from "../workflow.ts";
import { didYouMean } from "../closest-name.ts";
import type { Outline } from "./outline.ts";
import { placesOf, type Place } from "./places.ts";

const CEL_TYPES: Record<Variable["type"], string> = {
  string: "string",
  number: "double",
  boolean: "bool",
  object: "map",
  array: "list",
  any: "dyn",
};

const HINTS: Partial<Record<RootName, string>> = {
  output: "`output` is a step's own result, in its `output` and `when`; elsewhere say steps.<id>.output.",
  error: "`error` is there in the `when` of entries with on: error or on: timeout.",
  event: "`event` is what started the execution.",
};

/** Every expression parses, knows its names, and gives what its place needs. */
export function checkExpressions(outline: Outline): Issue[] {
  const issues: Issue[] = [];
  const parsed: { place: Place; expression: Expression }[] = [];
  for (const place of placesOf(outline)) {
    const result = "error" in place ? place.error : parsedOrError(place.source);
    if ("error" in place || !isExpression(result)) issues.push(parseIssue(result, place.pointer));
    else parsed.push({ place, expression: result });
  }
  const known = knownNames(outline);
  const typeOf = createTypeFinder(
    shapesOf(
      outline,
      parsed.map(({ expression }) => expression),
    ),
  );
  for (const { place, expression } of parsed) {
    const unknown = unknownNames(expression, place, known);
    issues.push(...unknown);
    if (unknown.length === 0) issues.push(...mismatch(expression, place, typeOf));
  }
  return issues;
}

function parsedOrError(source: string): unknown {
  try {
    return parseExpression(source);
  } catch (error) {
    return error;
  }
}

function isExpression(result: unknown): result is Expression {
  return !(result instanceof Error);
}

function parseIssue(error: unknown, pointer: string): Issue {
  const failure = celFailure("", error);
  return failureIssue(failure.details["reason"] === "unknown_variable" ? "UNKNOWN_NAME" : "INVALID_EXPRESSION", pointer, failure);
}

function failureIssue(code: string, pointer: string, { message, details }: SignalboxError): Issue {
  const { hint } = details;
  if (typeof hint !== "string") return { code, pointer, message };
  return { code, pointer, message: message.slice(0, -hint.length).trimEnd(), hint };
}

interface KnownNames {
  steps: readonly string[];
  variables: readonly string[];
  input: JsonObject | undefined;
}

/** A variable that is written is there, declared or not; an undeclared one has any type and is replaced by each write. */
function knownNames({ definition, byId, steps }: Outline): KnownNames {
  const written = steps.flatMap(({ step }) => Object.keys(step.output ?? {}));
  return { steps: [...byId.keys()], variables: [...new Set([...Object.keys(definition.variables), ...written])], input: definition.input };
}

function unknownNames({ references }: Expression, place: Place, known: KnownNames): Issue[] {
  const found = references.map((reference) => unknownName(reference, place, known)).filter((issue) => issue !== undefined);
  return found.filter((issue, index) => found.findIndex(({ message }) => message === issue.message) === index);
}

function unknownName({ name, keys }: Reference, { pointer, names }: Place, known: KnownNames): Issue | undefined {
  // Parsing let no other names through.
  const root = name as RootName;
  if (!names.has(root))
    return {
      code: "UNKNOWN_NAME",
      pointer,
      message: `There is no \`${root}\` here.`,
      hint: HINTS[root] ?? `Names here are ${[...names].join(", ")}.`,
    };
  const [key] = keys;
  // Only the outputs an expression names are loaded for it.
  if (key === undefined && root === "steps") {
    return { code: "UNKNOWN_NAME", pointer, message: "Steps are read by ids that are written out.", hint: "As in steps.<id>.output." };
  }
  if (key === undefined) return undefined;
  if (root === "steps" && !known.steps.includes(key)) {
    return {
      code: "UNKNOWN_NAME",
      pointer,
      message: `There is no step "${key}".`,
      hint: didYouMean(key, known.steps) ?? "steps.<id>.output reads the output of a step.",
    };
  }
  if (root === "vars" && !known.variables.includes(key)) {
    return {
      code: "UNKNOWN_VARIABLE",
      pointer,
      message: `There is no variable "${key}".`,
      hint: didYouMean(key, known.variables) ?? "Declare it in `variables`, or write it in a step's `output`.",
    };
  }
  return root === "input" ? unknownInput(keys, known.input, pointer) : undefined;
}

/** A field the input cannot have: its schema lists all fields there are. */
function unknownInput(keys: readonly string[], schema: Json | undefined, pointer: string): Issue | undefined {
  let level = schema;
  for (const key of keys) {
    if (!isRecord(level) || !isRecord(level["properties"])) return undefined;
    const { properties } = level;
    if (Object.hasOwn(properties, key)) level = properties[key];
    else if (level["additionalProperties"] === false && level["patternProperties"] === undefined) {
      return {
        code: "UNKNOWN_NAME",
        pointer,
        message: `The input schema has no field "${key}".`,
        hint: didYouMean(key, Object.keys(properties)) ?? `Fields are ${Object.keys(properties).join(", ")}.`,
      };
    } else return undefined;
  }
  return undefined;
}

/** Field types of `vars` and `input`; a field whose type is open is `dyn`. */
function shapesOf({ definition }: Outline, expressions: readonly Expression[]): Shapes {
  const used = (root: RootName): Record<string, string> =>
    Object.fromEntries(
      expressions.flatMap(({ references }) =>
        references.flatMap(({ name, keys }) => (name === root && keys[0] !== undefined ? [[keys[0], "dyn"]] : [])),
      ),
    );
  const variables = Object.entries(definition.variables).map(([name, { type }]) => [name, CEL_TYPES[type]]);
  const properties = isRecord(definition.input?.["properties"]) ? definition.input["properties"] : {};
  const fields = Object.entries(properties).map(([name, schema]) => [name, celTypeOf(schema)]);
  return { vars: { ...used("vars"), ...Object.fromEntries(variables) }, input: { ...used("input"), ...Object.fromEntries(fields) } };
}

function celTypeOf(schema: Json): string {
  const type = isRecord(schema) ? schema["type"] : undefined;
  if (type === "integer") return "double";
  return typeof type === "string" && Object.hasOwn(CEL_TYPES, type) ? CEL_TYPES[type as Variable["type"]] : "dyn";
}

function mismatch({ source, references }: Expression, place: Place, typeOf: ReturnType<typeof createTypeFinder>): Issue[] {
  const whole = new Set(references.filter(({ keys }) => keys.length === 0).map(({ name }) => name));
  const { type, error } = typeOf(source, whole);
  if (type === undefined) return [failureIssue("TYPE_MISMATCH", place.pointer, celFailure(source, error))];
  if (!place.isCondition || type === "bool" || type === "dyn") return [];
  return [
    {
      code: "TYPE_MISMATCH",
      pointer: place.pointer,
      message: `\`${source.slice(0, 200)}\` gives ${nameOfType(type)}, but must be true or false.`,
      hint: "Compare it with something.",
    },
  ];
}

function nameOfType(type: string): string {
  if (type === "double" || type === "int") return "a number";
  return type.startsWith("$") ? "an object" : `a ${type.replace(/<.*/, "")}`;
}

function isRecord(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
