import type { Permit } from "../definition/execution.ts";

export interface LimitChanges {
  /** LIMIT_EXCEEDED, and nothing of the commit is written, where another execution has one of them. */
  take: readonly Permit[];
  /** Given back; those of others stay as they are. */
  give: readonly Permit[];
  join: PlaceInLine | null;
  leave: Pick<PlaceInLine, "limit" | "rank"> | null;
}

/** Where an execution waits; it is in one line at a time. */
export interface PlaceInLine {
  limit: string;
  /** Lowest first. */
  rank: number;
  /** Epoch milliseconds until which somebody can be expected to look after it; later it holds up nobody. */
  until: number;
}

/** Limits on how much is under way at once: numbered permits, each held by one execution, and a line for each limit. */
export interface LimitStore {
  /** Numbers taken, and the first `length` executions in line, lowest rank first; as of one instant each. */
  look(tenant: string, limit: string, length: number): Promise<LimitState>;
  /** Limits under which something runs or waits, by name. */
  list(tenant: string, limit: number): Promise<{ limit: string; taken: number; waiting: number }[]>;
}

export interface LimitState {
  taken: number[];
  line: { executionId: string; rank: number; until: number }[];
}
