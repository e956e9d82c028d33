import type { z } from "zod";
import { pointerTo } from "../definition/pointer.ts";
import { SignalboxError, type Issue } from "../errors.ts";

const MAX_ISSUES = 50;

/** The input as the schema has it, or INVALID_INPUT with every problem. `body` names the field that was the whole body. */
export function parseInput<T>(schema: z.ZodType<T>, raw: unknown, body?: string): T {
  const parsed = schema.safeParse(raw);
  if (parsed.success) return parsed.data;
  throw invalidInput(toIssues(parsed.error, body));
}

export function invalidInput(issues: Issue[]): SignalboxError {
  const [first] = issues;
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  return new SignalboxError("INVALID_INPUT", first && `${first.pointer || "/"} ${first.message}${more}.`, { issues });
}

/** Zod's problems as ours. Pointers walk the body where one field is the body, else the fields. */
export function toIssues(error: z.ZodError, body?: string): Issue[] {
  return error.issues
    .flatMap((issue) => flatten(issue, []))
    .slice(0, MAX_ISSUES)
    .map(({ path, ...issue }) => ({
      ...issue,
      pointer: pointerTo("", ...(body !== undefined && path[0] === body ? path.slice(1) : path)),
    }));
}

interface Found {
  code: string;
  path: PropertyKey[];
  message: string;
}

function flatten(issue: z.core.$ZodIssue, base: PropertyKey[]): Found[] {
  const path = [...base, ...issue.path];
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({ code: "UNKNOWN_FIELD", path: [...path, key], message: "is not a known field" }));
    case "invalid_union":
      return flattenUnion(issue, path);
    case "invalid_key":
      return issue.issues.map(({ message }) => ({ code: "INVALID_KEY", path, message: `is not a valid name: ${message}` }));
    case "invalid_type":
      return [{ path, ...wrongType(issue) }];
    case "invalid_value":
    case "invalid_format":
    case "invalid_element":
    case "not_multiple_of":
    case "too_small":
    case "too_big":
    case "custom":
      return [{ code: issue.code.toUpperCase(), path, message: plain(issue.message) }];
    default:
      return issue satisfies never;
  }
}

/** Of the alternatives, the one the writer most likely meant is the one that fits deepest. */
function flattenUnion(issue: z.core.$ZodIssueInvalidUnion, path: PropertyKey[]): Found[] {
  const branches = issue.errors.map((branch) => branch.flatMap((inner) => flatten(inner, path)));
  const best = branches.toSorted((left, right) => depth(right) - depth(left))[0];
  if (best && depth(best) > path.length) return best;
  const messages = branches.flat().map(({ message }) => message);
  return [{ code: "INVALID_VALUE", path, message: messages.join(" or ") || issue.message }];
}

/** Zod's names of types where a caller knows others. */
const AS_IN_JSON: ReadonlyMap<string, string> = new Map([
  ["record", "object"],
  ["int", "integer"],
]);

function wrongType({ message, expected }: z.core.$ZodIssueInvalidType): Omit<Found, "path"> {
  // Zod leaves the input itself out of its issues, for privacy; whether there was one is told by the message only.
  const isMissing = message.endsWith("received undefined");
  return isMissing
    ? { code: "REQUIRED", message: "is required" }
    : { code: "WRONG_TYPE", message: `must be ${AS_IN_JSON.get(expected) ?? expected}` };
}

function depth(found: Found[]): number {
  return Math.max(0, ...found.map(({ path }) => path.length));
}

/** Zod writes whole sentences ("Too small: expected ..."), our own refinements say what must be. */
function plain(message: string): string {
  return message.replace(/^(Invalid input|Invalid option|Too small|Too big|Invalid string): /, "").replace(/^expected /, "must be ");
}
