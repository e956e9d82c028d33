import type { WorkflowPlan } from "../compiler/plan.ts";
import type { GraphState } from "../compiler/state.ts";
import { durationMs } from "../definition/duration.ts";
import type { ExecutionEventType } from "../definition/event.ts";
import type { ExecutionError, ExecutionStatus } from "../definition/execution.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import { isoTime } from "../ports/clock.ts";
import type { ExecutionHandle } from "../ports/store.ts";
import { nextWakeAt } from "./absorb.ts";
import type { Session } from "./session.ts";

/** The ways an execution leaves a worker; each is one commit that also gives the lease back. */
export interface Settling {
  session: Session;
  plan: WorkflowPlan;
  /** State as LangGraph returned it; undefined where the run was aborted. */
  state: GraphState | undefined;
}

export async function complete({ session, plan, state }: Settling, output: Json): Promise<ExecutionHandle> {
  session.draft.output = output;
  return await end({ session, plan, state }, "COMPLETED", "execution.completed", "The workflow completed.", { output });
}

export async function fail({ session, plan, state }: Settling, error: ExecutionError): Promise<ExecutionHandle> {
  session.draft.error = error;
  return await end({ session, plan, state }, "FAILED", "execution.failed", `The workflow failed: ${error.message}`, { error });
}

export async function cancel({ session, plan, state }: Settling, reason: string | null): Promise<ExecutionHandle> {
  const { draft } = session;
  session.committer.pending.closeWaits.push(
    ...draft.waits.filter(({ isListed }) => isListed).map(({ id }) => ({ id, status: "cancelled" as const })),
  );
  draft.waits = [];
  draft.error = { code: "CANCELLED", message: reason ?? "Cancelled.", stepId: null, visit: null, path: null, retryable: false };
  return await end({ session, plan, state }, "CANCELLED", "execution.cancelled", `Cancelled${reason === null ? "" : `: ${reason}`}.`, {
    reason,
  });
}

export async function pause({ session, plan, state }: Settling, reason: string | null): Promise<ExecutionHandle> {
  const { draft } = session;
  draft.status = "PAUSED";
  keepVariables({ session, plan, state });
  draft.idleClaims = 0;
  session.event(ofExecution("execution.paused", `Paused${reason === null ? "" : `: ${reason}`}.`, { reason }));
  return await session.committer.release(null);
}

/** Everything waits: no lease, no memory. */
export async function park({ session, plan, state }: Settling): Promise<ExecutionHandle> {
  const { draft } = session;
  draft.isParked = true;
  draft.idleClaims = 0;
  keepVariables({ session, plan, state });
  const kinds = draft.waits.map(({ stepId, kind }) => `${stepId} (${kind})`).join(", ");
  session.event(ofExecution("execution.parked", `Parked: waits for ${kinds}.`, { waits: draft.waits.map(({ id }) => id) }));
  return await session.committer.release(nextWakeAt(draft));
}

/** Handed over as it is, to be taken up at once by any worker. */
export async function handOver(session: Session): Promise<ExecutionHandle> {
  return await session.committer.release(session.clock.now());
}

async function end(
  settling: Settling,
  status: ExecutionStatus,
  type: ExecutionEventType,
  summary: string,
  data: JsonObject,
): Promise<ExecutionHandle> {
  const { session, plan } = settling;
  const { draft, clock } = session;
  draft.status = status;
  draft.endedAt = isoTime(clock);
  draft.inFlight = {};
  draft.mailbox = status === "FAILED" ? draft.mailbox : [];
  draft.isParked = false;
  const retention = plan.definition.retention?.executions;
  draft.expireAt = retention === undefined ? null : clock.now() + (durationMs(retention) ?? 0);
  keepVariables(settling);
  const elapsedMs = clock.now() - Date.parse(draft.createdAt);
  session.event(ofExecution(type, summary, { ...data, durationMs: elapsedMs }));
  return await session.committer.release(null);
}

/** Copies the variables into the record, where lists and single reads find them without a checkpoint. Secret ones stay out. */
function keepVariables({ session, plan, state }: Settling): void {
  if (!state) return;
  const shown = Object.entries(state._vars).filter(([name]) => plan.definition.variables[name]?.secret !== true);
  session.draft.variables = Object.fromEntries(shown.map(([name, slot]) => [name, "v" in slot ? slot.v : { $ref: slot.r }]));
}

export function ofExecution(type: ExecutionEventType, summary: string, data: JsonObject) {
  return { type, stepId: null, visit: null, branch: null, attempt: null, summary, data };
}
