import type { ExecutionError } from "../definition/execution.ts";
import type { JsonObject } from "../definition/json.ts";
import { toSignalboxError } from "../errors.ts";
import type { Finished } from "./finish.ts";
import type { NodeRun } from "./node.ts";
import { nextRound, type Round } from "./rounds.ts";
import type { Visit } from "./visit.ts";
import { recordVisit, withControl, type Work } from "./work.ts";

/** A region as its nodes know it. */
export interface RegionSetup {
  /** Region path. */
  branch: string;
  start: string;
  /** The step it ends before; null: at a step without a way out. */
  end: string | null;
  isLane: boolean;
  /** Steps whose outputs a lane's condition reads. */
  conditionReads: ReadonlySet<string>;
  /** True where a failure inside is somebody's business outside: a policy that collects, an `on: error`, an `onError`. */
  absorbsErrors: boolean;
}

/** How a region ended; what its own node finds in the state. */
export interface RegionEnd {
  status: "completed" | "failed" | "cancelled";
  /** Step whose output is the region's. */
  last: string | null;
  error: { code: string; message: string } | null;
}

/** The end of a branch, or the end of a round: then the lane goes on with the next one. */
export async function endOfRegion(run: NodeRun, work: Work, error: ExecutionError | null): Promise<Finished> {
  const { setup, host } = run;
  const lane = work.state._entry?.lane;
  const last = work.lastStepId;
  const brief = error && { code: error.code, message: error.message };
  if (!lane || !setup.region) return over(work, { status: error ? "failed" : "completed", last, error: brief });
  if (error && lane.onItemError === "fail") return over(work, { status: "failed", last, error: brief });
  const output = last === null ? { output: null } : await outputOf(run, work, last);
  try {
    const next = await nextRound(host, work, lane, setup.region.conditionReads, brief ? { error: brief } : output);
    if (next.isOver) return over(next.work, { status: "completed", last, error: null });
    return { work: next.work, next: setup.region.start, handled: false };
  } catch (thrown) {
    const { code, message } = toSignalboxError(thrown);
    return over(work, { status: "failed", last, error: { code, message } });
  }
}

/** The work with the failed visit on record: its number is used up. */
export function failedRegion(visit: Visit, work: Work, _error: ExecutionError): Work {
  const { stepId, path, visit: number } = visit.place;
  const after = { ...work, staged: visit.staged };
  return recordVisit(
    after,
    { stepId, path, visit: number, outcome: "error", output: null, variables: [] },
    visit.workflow.definition.variables,
  );
}

function over(work: Work, end: RegionEnd): Finished {
  return { work: withControl(work, { $end: end as unknown as JsonObject }), next: null, handled: false };
}

async function outputOf({ host }: NodeRun, work: Work, stepId: string): Promise<Pick<Round, "output" | "stored">> {
  const slot = work.state._steps[stepId]?.o ?? { v: null };
  if ("v" in slot) return { output: slot.v };
  // A large output stays where it is until the loop is over.
  const { r: ref } = slot;
  const value = work.staged.values.find((fresh) => fresh.ref === ref)?.value ?? (await host.values([ref])).get(ref) ?? null;
  return { stored: { ref, bytes: Buffer.byteLength(JSON.stringify(value)) } };
}
