import type { WorkflowPlan } from "../compiler/plan.ts";
import { HIDDEN, type GraphState } from "../compiler/state.ts";
import { durationMs } from "../definition/duration.ts";
import type { ExecutionEventType } from "../definition/event.ts";
import type { ExecutionError, ExecutionStatus } from "../definition/execution.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import { isoTime } from "../ports/clock.ts";
import type { ExecutionHandle } from "../ports/store.ts";
import { nextWakeAt } from "./absorb.ts";
import { childEnd } from "./children.ts";
import { rankOf } from "./rank.ts";
import type { Session } from "./session.ts";
import { takeTurn } from "./turns.ts";
import { withdraw } from "./withdraw.ts";

type Failure = NonNullable<Session["failure"]>;

/** The ways an execution leaves a worker; each is one commit that also gives the lease back. */
export interface Settling {
  session: Session;
  plan: WorkflowPlan;
  /** State as LangGraph returned it; undefined where the run was aborted. */
  state: GraphState | undefined;
  /** Deals with the messages of what was wished for, fulfilled or overtaken: they are gone with this commit. */
  endWish(): void;
}

export async function complete(settling: Settling, output: Json): Promise<ExecutionHandle> {
  settling.session.draft.output = output;
  return await end(settling, "COMPLETED", "execution.completed", "The workflow completed.", { output });
}

export async function fail(settling: Settling, error: ExecutionError): Promise<ExecutionHandle> {
  const { session } = settling;
  session.draft.error = error;
  // Without a place to try again from, nobody will ask for what was waited for.
  if (!session.draft.waits.some(({ kind }) => kind === "failure")) withdrawAll(session, "The execution that waited for it failed.");
  return await end(settling, "FAILED", "execution.failed", `The workflow failed: ${error.message}`, { error });
}

export async function cancel(settling: Settling, reason: string | null): Promise<ExecutionHandle> {
  const { session } = settling;
  const { draft } = session;
  withdrawAll(session, "The execution that waited for it was cancelled.");
  draft.error = { code: "CANCELLED", message: reason ?? "Cancelled.", stepId: null, visit: null, path: null, retryable: false };
  return await end(settling, "CANCELLED", "execution.cancelled", `Cancelled${reason === null ? "" : `: ${reason}`}.`, {
    reason,
  });
}

export async function pause(settling: Settling, reason: string | null): Promise<ExecutionHandle> {
  const { session } = settling;
  const { draft } = session;
  settling.endWish();
  takeTurn(draft, "pause");
  draft.status = "PAUSED";
  keepVariables(settling);
  leaveLine(session);
  draft.idleClaims = 0;
  session.event(ofExecution("execution.paused", `Paused${reason === null ? "" : `: ${reason}`}.`, { reason }));
  return await session.committer.release(null);
}

/** A step failed for good. Where a person is to look at it, the execution is paused with its reason. */
export async function failOrPause(settling: Settling, { error, pause: isPaused }: Failure): Promise<ExecutionHandle> {
  if (!isPaused) return await fail(settling, error);
  settling.session.draft.error = error;
  return await pause(settling, error.message);
}

/** Everything waits: no lease, no memory. */
export async function park(settling: Settling): Promise<ExecutionHandle> {
  const { session } = settling;
  const { draft } = session;
  draft.isParked = true;
  draft.idleClaims = 0;
  keepVariables(settling);
  const kinds = draft.waits.map(({ stepId, kind }) => `${stepId} (${kind})`).join(", ");
  session.event(ofExecution("execution.parked", `Parked: waits for ${kinds}.`, { waits: draft.waits.map(({ id }) => id) }));
  return await session.committer.release(nextWakeAt(draft));
}

/** Handed over as it is, to be taken up at once by any worker. */
export async function handOver(session: Session): Promise<ExecutionHandle> {
  return await session.committer.release(session.clock.now());
}

function withdrawAll({ draft, committer, clock }: Session, reason: string): void {
  withdraw(committer, draft, draft.waits, { at: isoTime(clock), reason });
  draft.waits = [];
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
  settling.endWish();
  draft.status = status;
  draft.endedAt = isoTime(clock);
  draft.inFlight = {};
  draft.mailbox = status === "FAILED" ? draft.mailbox : [];
  if (status !== "FAILED") delete draft.overrides;
  draft.isParked = false;
  const retention = plan.definition.retention?.executions;
  draft.expireAt = retention === undefined ? null : clock.now() + (durationMs(retention) ?? 0);
  keepVariables(settling);
  leaveLine(session);
  session.committer.pending.given.push(...(draft.permits ?? []));
  delete draft.permits;
  const elapsedMs = clock.now() - Date.parse(draft.createdAt);
  session.event(ofExecution(type, summary, { ...data, durationMs: elapsedMs }));
  await tellParent(session);
  return await session.committer.release(null);
}

/** A child's end is known to its parent in the commit in which it ends. */
async function tellParent({ draft, committer, exists }: Session): Promise<void> {
  const message = childEnd(draft);
  // Mail for a parent that retention has removed would be taken in by nobody.
  if (message && (await exists(message.executionId))) committer.pending.sends.push(message);
}

/** It waits for no place any more: it begins, or it does not want to. */
export function leaveLine({ draft, committer }: Session): void {
  if (!draft.queued) return;
  committer.pending.left.push({ limit: draft.queued.limit, rank: rankOf(draft) });
  delete draft.queued;
}

/** Copies the variables into the record, where lists and single reads find them without a checkpoint. Secret ones stay out. */
function keepVariables({ session, plan, state }: Settling): void {
  if (!state) return;
  const named = Object.entries(state._vars).filter(([name]) => !name.startsWith(HIDDEN));
  const shown = named.filter(([name]) => plan.definition.variables[name]?.secret !== true);
  session.draft.variables = Object.fromEntries(shown.map(([name, slot]) => [name, "v" in slot ? slot.v : { $ref: slot.r }]));
}

export function ofExecution(type: ExecutionEventType, summary: string, data: JsonObject) {
  return { type, stepId: null, visit: null, branch: null, attempt: null, summary, data };
}
