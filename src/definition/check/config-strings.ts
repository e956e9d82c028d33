import type { JsonObject } from "../json.ts";
import { pointerKeys, pointerTo } from "../pointer.ts";
import type { CatalogType } from "./step-catalog.ts";

/** A string inside a config and how it is read: bare CEL, text kept as it is, or a template that may hold `${ cel }`. */
export interface ConfigString {
  /** Relative to the config. */
  pointer: string;
  text: string;
  kind: "expression" | "literal" | "template";
}

/**
 * Every string of a config. A top-level field that holds a bare expression or a literal reaches the step as written as a whole:
 * nothing else in it is interpolated either.
 */
export function configStrings(type: Pick<CatalogType, "expressions" | "literal">, config: JsonObject): ConfigString[] {
  const expressions = (type.expressions ?? []).map(pointerKeys);
  const fixedFields = new Set([...expressions, ...(type.literal ?? []).map(pointerKeys)].map(([field]) => field));
  const found: ConfigString[] = [];
  for (const [field, value] of Object.entries(config)) visit(value, [field]);
  return found;

  function visit(value: unknown, path: string[]): void {
    if (typeof value === "string") found.push({ pointer: pointerTo("", ...path), text: value, kind: kindOf(path) });
    else if (typeof value === "object" && value !== null) {
      for (const [key, item] of Object.entries(value)) visit(item, [...path, key]);
    }
  }

  function kindOf(path: string[]): ConfigString["kind"] {
    if (!fixedFields.has(path[0])) return "template";
    return expressions.some((pattern) => fits(pattern, path)) ? "expression" : "literal";
  }
}

function fits(pattern: readonly string[], path: readonly string[]): boolean {
  return pattern.length === path.length && pattern.every((key, index) => key === "*" || key === path[index]);
}
