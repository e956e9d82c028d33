import type { ExecutionEvent } from "../definition/event.ts";
import type { ExecutionCommit } from "../ports/store.ts";

/** Executions whose open visits are remembered; a lost lease leaves some behind, and the oldest go first. */
const MAX_EXECUTIONS = 10_000;

/** Remembers when open visits began. `take` tells it for a visit that ended; `forget` follows every commit that gives the lease back. */
export function createVisitStarts() {
  const executions = new Map<string, Map<string, number>>();

  function note({ execution, events }: ExecutionCommit): void {
    for (const event of events) {
      if (event.type !== "step.started") continue;
      const visits = executions.get(execution.id) ?? new Map<string, number>();
      // The first attempt counts: the visit is what takes its time.
      if (!visits.has(keyOf(event))) visits.set(keyOf(event), Date.parse(event.at));
      executions.set(execution.id, visits);
    }
    for (const [oldest] of executions) {
      if (executions.size <= MAX_EXECUTIONS) break;
      executions.delete(oldest);
    }
  }

  return {
    note,
    of: (executionId: string, event: ExecutionEvent) => executions.get(executionId)?.get(keyOf(event)),
    settle({ execution, events }: ExecutionCommit): void {
      if (execution.owner === null) return void executions.delete(execution.id);
      const visits = executions.get(execution.id);
      for (const event of events) if (event.type === "step.completed" || event.type === "step.failed") visits?.delete(keyOf(event));
    },
  };
}

function keyOf({ branch, stepId, visit }: ExecutionEvent): string {
  return `${branch ?? ""}/${stepId}/${visit}`;
}
