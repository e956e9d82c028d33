import type { Issue } from "../errors.ts";
import { pointerTo } from "./pointer.ts";

/** Deeper than anything people write, and far from where walking a value by recursion would end in a stack overflow. */
const MAX_DEPTH = 64;

/** What keeps a value from being JSON, or makes it too deep to work with; the first such place only. */
export function jsonBoundIssues(value: unknown): Issue[] {
  const open: { value: unknown; pointer: string; depth: number }[] = [{ value, pointer: "", depth: 0 }];
  for (let next = open.pop(); next; next = open.pop()) {
    const { value: item, pointer, depth } = next;
    if (depth > MAX_DEPTH) return [{ code: "TOO_LARGE", pointer, message: `Values may be nested ${MAX_DEPTH} levels deep.` }];
    if (typeof item === "object" && item !== null) {
      for (const [key, inner] of Object.entries(item)) open.push({ value: inner, pointer: pointerTo(pointer, key), depth: depth + 1 });
    } else if (!isScalar(item)) {
      return [{ code: "INVALID_VALUE", pointer, message: "This is not a JSON value." }];
    }
  }
  return [];
}

function isScalar(value: unknown): boolean {
  // A field set to undefined is a field that is not there.
  if (value === null || value === undefined) return true;
  return typeof value === "string" || typeof value === "boolean" || (typeof value === "number" && Number.isFinite(value));
}
