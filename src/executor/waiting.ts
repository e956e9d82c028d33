import type { Parking, StepPlace, TimedDraft } from "../compiler/host.ts";
import type { Execution } from "../definition/execution.ts";
import type { JsonObject } from "../definition/json.ts";
import type { OpenWait, Wait } from "../definition/wait.ts";
import type { Changes } from "./committer.ts";
import { openTenantWait, tenantWaitOf } from "./event-wait.ts";

/** What the record keeps of a parked place. */
export function newWait(place: StepPlace, { waitId, wait }: Parking, interruptId: string, since: string): Wait {
  return {
    id: waitId,
    kind: wait.kind,
    stepId: place.stepId,
    path: place.path,
    branch: place.branch,
    visit: place.visit,
    attempt: place.attempt,
    interruptId,
    since,
    dueAt: wait.dueAt,
    state: wait.state,
    isListed: wait.open !== undefined || wait.kind === "callback",
    ...(wait.remind && { remind: { at: Date.parse(since) + wait.remind.afterMs, everyMs: wait.remind.everyMs, count: 0 } }),
    answer: null,
  };
}

/** Tells of a wait with the next commit, and lists it where somebody outside may answer it. */
export function announceWait(
  pending: Pick<Changes, "drafts" | "openWaits">,
  { execution, wait, place, parking }: { execution: Execution; wait: Wait; place: StepPlace; parking: Parking },
): void {
  if (!parking.failure) pending.drafts.push(waitingEvent(wait, place, parking));
  const open = openWaitOf(execution, wait, parking);
  if (open) pending.openWaits.push(open);
}

/** The record outsiders list and answer, for a wait that has any. */
function openWaitOf(execution: Execution, wait: Wait, { wait: request }: Parking): OpenWait | undefined {
  if (!request.open) return undefined;
  const tenantWait = tenantWaitOf(execution, wait);
  const byTopic = tenantWait ? openTenantWait(tenantWait) : { topic: request.open.topic, request: {} };
  return {
    id: wait.id,
    tenant: execution.tenant,
    executionId: execution.id,
    workflowId: execution.workflowId,
    // One inbox for everything a person decides: what happened to an effect is asked where approvals are.
    kind: wait.kind === "effect" ? "approval" : wait.kind,
    stepId: wait.stepId,
    path: wait.path,
    visit: wait.visit,
    status: "open",
    title: request.open.title,
    request: { ...request.open.request, ...byTopic.request },
    ...(byTopic.topic !== undefined && { topic: byTopic.topic }),
    createdAt: wait.since,
    expiresAt: dueTime(wait),
    answer: null,
    ...(request.open.votes && { votes: request.open.votes }),
  };
}

function waitingEvent(wait: Wait, place: StepPlace, { wait: request }: Parking): TimedDraft {
  const expiresAt = dueTime(wait);
  return {
    at: wait.since,
    type: "step.waiting",
    stepId: place.stepId,
    visit: place.visit,
    branch: place.branch,
    attempt: place.attempt,
    summary: `${place.stepId} ${request.summary ?? `waits for ${WORDS[wait.kind]}${expiresAt === null ? "" : ` until ${expiresAt}`}.`}`,
    data: { waitId: wait.id, kind: wait.kind, expiresAt, ...aboutWait(wait, request) },
  };
}

function aboutWait({ id, kind }: Wait, { open }: Parking["wait"]): JsonObject {
  const { assignees, level } = open?.request ?? {};
  return {
    ...(open && { title: open.title }),
    ...(assignees !== undefined && { assignees }),
    ...(level !== undefined && { level }),
    ...(kind === "child" && { executionId: id }),
  };
}

const WORDS: Record<Wait["kind"], string> = {
  timer: "a timer",
  approval: "an approval",
  event: "an event",
  child: "a child execution",
  task: "a worker",
  effect: "word about an effect",
  failure: "a retry",
  callback: "a callback",
};

/** When a wait ends by itself, RFC 3339. */
export function dueTime(wait: Wait): string | null {
  return wait.dueAt === null ? null : new Date(wait.dueAt).toISOString();
}
