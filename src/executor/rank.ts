import type { Execution } from "../definition/execution.ts";

/**
 * What a step of priority is worth, milliseconds: an execution of priority 9 goes before one of priority 0 that is up to nine minutes
 * older. So whatever waits comes first in the end, and a place in line never has to be written again.
 */
const PRIORITY_MS = 60_000;
/** What was begun goes on before what has yet to begin, except before that which has waited for longer than this, milliseconds. */
const BEGUN_MS = 10 * PRIORITY_MS;

/** Where a new execution stands among others: the lowest first. */
export function rankOf({ createdAt, priority }: Pick<Execution, "createdAt" | "priority">): number {
  return Date.parse(createdAt) - priority * PRIORITY_MS;
}

/** Where something stands that was begun and is due since `at`, epoch milliseconds. */
export function rankOfBegun(at: number): number {
  return at - BEGUN_MS;
}
