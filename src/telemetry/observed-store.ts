import { toSignalboxError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { ExecutionCommit, ExecutionStore, Store } from "../ports/store.ts";
import type { CommitObserver, CommitOutcome } from "./observer.ts";
import { createVisitStarts } from "./visit-times.ts";

/**
 * The store, with observers told of every durable change this process makes to executions. The one hook of metrics, traces and
 * transition logs: what they show is what was committed, whichever code led there.
 */
export function observedStore(store: Store, { observers, clock }: { observers: readonly CommitObserver[]; clock: Clock }): Store {
  const starts = createVisitStarts();
  const { executions } = store;

  function attempted(outcome: CommitOutcome, startedAt: number): void {
    const seconds = (clock.now() - startedAt) / 1_000;
    for (const observer of observers) observer.attempted?.(outcome, seconds);
  }

  function committed(commit: ExecutionCommit): void {
    starts.note(commit);
    for (const observer of observers) observer.committed?.(commit, (event) => starts.of(commit.execution.id, event));
    starts.settle(commit);
  }

  const observed: ExecutionStore = {
    ...executions,
    async create(execution, events) {
      const result = await executions.create(execution, events);
      if (result.created) for (const observer of observers) observer.created?.(result.execution);
      return result;
    },
    async commit(commit) {
      const startedAt = clock.now();
      try {
        const handle = await executions.commit(commit);
        attempted("done", startedAt);
        committed(commit);
        return handle;
      } catch (error) {
        attempted(outcomeOf(error, commit), startedAt);
        throw error;
      }
    },
  };
  return { ...store, executions: observed };
}

function outcomeOf(error: unknown, { guard, execution }: ExecutionCommit): CommitOutcome {
  if (toSignalboxError(error).code !== "LEASE_LOST") return "failed";
  return execution.epoch > guard.epoch ? "raced" : "lost";
}
