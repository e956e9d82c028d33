import type { StepPlace } from "./host.ts";
import type { NodeRun } from "./node.ts";
import type { StepPlan } from "./plan.ts";
import { createScope } from "./scope.ts";
import type { Visit } from "./visit.ts";
import type { Work } from "./work.ts";

/** The next visit of a step, with the wait it comes back from where there is one. */
export async function openVisit(run: NodeRun, plan: StepPlan, work: Work, { isCounted = true } = {}): Promise<Visit> {
  const { setup, host, regionSignal } = run;
  const stepId = plan.step.id;
  const branch = setup.region?.branch ?? null;
  const path = pathOf(branch, stepId);
  const number = visitsOf(work, stepId) + 1;
  const wait = host.waitAt(path, number);
  const begun = host.attemptsAt(path, number);
  const attempt = wait ? attemptAfter(wait, begun) : begun + 1;
  const place: StepPlace = { stepId, branch, path, visit: number, attempt };
  if (!wait && isCounted) {
    work.staged.steps += 1;
    host.countStep(1);
  }
  const fresh = new Map(work.staged.values.map(({ ref, value }) => [ref, value]));
  const signal = regionSignal ? AbortSignal.any([host.signal, regionSignal]) : host.signal;
  const scope = await createScope(host, work.state, plan.reads, fresh);
  return { workflow: setup.workflow, plan, host, scope, variables: work.state._vars, place, wait, signal, staged: work.staged };
}

/** Region path + step id. */
export function pathOf(branch: string | null, stepId: string): string {
  return branch === null ? stepId : `${branch}/${stepId}`;
}

export function visitsOf(work: Work, stepId: string): number {
  return work.state._steps[stepId]?.n ?? 0;
}

/**
 * Coming back to a wait of the step's own continues its attempt; a back-off or a retry by hand begins a new one, after those that
 * were begun since and ended in a crash.
 */
function attemptAfter(wait: { kind: string; state: unknown; attempt: number }, begun: number): number {
  const isRetry =
    wait.kind === "failure" ||
    wait.kind === "effect" ||
    (wait.state !== null && typeof wait.state === "object" && Object.hasOwn(wait.state, "retry"));
  return isRetry ? Math.max(wait.attempt, begun) + 1 : wait.attempt;
}
