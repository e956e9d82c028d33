import type { Issue } from "../../errors.ts";
import type { Json } from "../json.ts";
import { pointerTo } from "../pointer.ts";
import type { Variable } from "../workflow.ts";
import type { Outline } from "./outline.ts";

const TYPES_OF_REDUCER: Record<Variable["reducer"], readonly Variable["type"][] | "all"> = {
  replace: "all",
  first: "all",
  append: ["array"],
  merge: ["object"],
  sum: ["number"],
  min: ["number"],
  max: ["number"],
};

/** Variables are what they say they are. */
export function checkVariables({ definition }: Outline): Issue[] {
  return Object.entries(definition.variables).flatMap(([name, variable]) => {
    const pointer = pointerTo("/variables", name);
    return [...defaultValue(variable, pointerTo(pointer, "default")), ...reducer(variable, pointerTo(pointer, "reducer"))];
  });
}

/** Null is no value yet, whatever the type. */
function defaultValue(variable: Variable, pointer: string): Issue[] {
  const value = variable.default;
  if (value === undefined || value === null || variable.type === "any" || typeOf(value) === variable.type) return [];
  return [
    { code: "DEFAULT_TYPE_MISMATCH", pointer, message: `The default is of type ${typeOf(value)}, the variable of type ${variable.type}.` },
  ];
}

function reducer({ type, reducer: name }: Variable, pointer: string): Issue[] {
  const types = TYPES_OF_REDUCER[name];
  if (types === "all" || type === "any" || types.includes(type)) return [];
  return [
    { code: "REDUCER_TYPE_MISMATCH", pointer, message: `The reducer "${name}" joins values of type ${types.join(" or ")}, not ${type}.` },
  ];
}

function typeOf(value: Json): Variable["type"] {
  if (Array.isArray(value)) return "array";
  // JSON has no other types left once null and lists are out.
  return typeof value as "string" | "number" | "boolean" | "object";
}
