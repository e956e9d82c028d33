import type { LimitState } from "../ports/limits.ts";

/** A limit an execution must have a place under. */
export interface Need {
  limit: string;
  max: number;
}

/** Numbers that may be taken. While some from `max` on are taken (it was lowered), as many of the others stay free. */
export function freeNumbers({ max }: Need, { taken }: Pick<LimitState, "taken">): number[] {
  const above = taken.filter((number) => number >= max).length;
  const present = new Set(taken);
  const candidates = Array.from({ length: Math.max(0, max - above) }, (_, number) => number).filter((number) => !present.has(number));
  return candidates.slice(0, Math.max(0, max - taken.length));
}

/** One of them at random, so that processes that look at once seldom want the same. */
export function anyOf(numbers: readonly number[]): number | undefined {
  return numbers[Math.floor(Math.random() * numbers.length)];
}
