import { RE2JS } from "@bufbuild/re2";

const compiled = new Map<string, RE2JS>();

/** True where the text holds a match of the RE2 pattern; linear in the text. */
export function matchesPattern(text: string, pattern: string): boolean {
  return compilePattern(pattern).test(text);
}

/** The compiled pattern, once per process. Throws where RE2 does not take it. */
export function compilePattern(pattern: string): RE2JS {
  let regex = compiled.get(pattern);
  if (!regex) compiled.set(pattern, (regex = new RE2JS(pattern)));
  return regex;
}
