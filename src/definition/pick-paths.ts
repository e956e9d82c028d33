import type { Json } from "./json.ts";

/**
 * The value with nothing in it but what the paths lead to. What a path does not find stays absent; a path that ends early, or leads
 * into something else than an object, keeps what is there as a whole.
 */
export function pickPaths(value: Json, paths: readonly (readonly string[])[]): Json {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  if (paths.some(({ length }) => length === 0)) return value;
  const keys = new Set(paths.flatMap(([key]) => (key !== undefined && Object.hasOwn(value, key) ? [key] : [])));
  const inside = (key: string) => paths.filter(([first]) => first === key).map(([, ...rest]) => rest);
  return Object.fromEntries([...keys].map((key) => [key, pickPaths(value[key] ?? null, inside(key))]));
}
