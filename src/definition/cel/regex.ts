import { RE2JS } from "@bufbuild/re2";
import { spend } from "./budget.ts";

/** Compiled patterns kept, oldest dropped first. */
const MAX_KEPT = 500;
/** A counted repetition unrolls: `[ab]{1000}` is 1,000 instructions and costs 30 us per character of text. */
const MAX_INSTRUCTIONS = 1_000;

const compiled = new Map<string, RE2JS>();

/** True where the text holds a match of the RE2 pattern. Linear in the text, and paid for from the evaluation's budget. */
export function matchesPattern(text: string, pattern: string): boolean {
  const regex = compilePattern(pattern);
  spend(1 + (text.length * regex.re2Input.prog.numInst()) / 8);
  return regex.test(text);
}

/** The compiled pattern, once per process. Throws where RE2 does not take it or it is too large. */
export function compilePattern(pattern: string): RE2JS {
  const known = compiled.get(pattern);
  if (known) return known;
  const regex = new RE2JS(pattern);
  const instructions = regex.re2Input.prog.numInst();
  if (instructions > MAX_INSTRUCTIONS)
    throw new RangeError(`the pattern is too large (${instructions} instructions, ${MAX_INSTRUCTIONS} allowed)`);
  const [oldest] = compiled.keys();
  if (oldest !== undefined && compiled.size >= MAX_KEPT) compiled.delete(oldest);
  compiled.set(pattern, regex);
  return regex;
}
