import { compileInputSchema, inputSchemaIssues } from "../definition/input-schema.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { Issue } from "../errors.ts";

/** What is wrong with a trigger's data schema; pointers start at `/config/schema`. */
export function schemaIssues(schema: JsonObject | undefined): Issue[] {
  return inputSchemaIssues(schema).map((issue) => ({ ...issue, pointer: issue.pointer.replace("/input", "/config/schema") }));
}

/** Tells what keeps an event's data from fitting a schema; pointers start at `/data`. */
export function compileDataSchema(schema: JsonObject): (data: Json) => Issue[] {
  const check = compileInputSchema(schema);
  // A schema judges any JSON value; only that of an execution's input is always an object.
  return (data) => check(data as JsonObject).map((issue) => ({ ...issue, pointer: issue.pointer.replace("/input", "/data") }));
}
