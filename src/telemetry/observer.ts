import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution } from "../definition/execution.ts";
import type { ExecutionCommit } from "../ports/store.ts";

/** What became of a commit: `raced` is a claim that another worker won, which is no fault; `lost` is a holder that lost its lease. */
export type CommitOutcome = "done" | "raced" | "lost" | "failed";

/** Somebody who watches what this process writes. Called after the write, once; whatever it throws is a bug of ours. */
export interface CommitObserver {
  /** An execution was accepted; not called for a duplicate start. */
  created?(execution: Execution): void;
  committed?(commit: ExecutionCommit, visits: VisitTimes): void;
  /** Every attempt to commit, with the seconds until the store answered. */
  attempted?(outcome: CommitOutcome, seconds: number): void;
}

/** When a visit began, where this process knows: epoch milliseconds. A visit that waited may have begun elsewhere. */
export type VisitTimes = (event: ExecutionEvent) => number | undefined;
