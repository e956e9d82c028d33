import type { Decision } from "../../definition/decision.ts";
import type { ExecutionEvent } from "../../definition/event.ts";
import type { Execution } from "../../definition/execution.ts";
import type { OpenWait } from "../../definition/wait.ts";
import type { ExecutionCommit } from "../../ports/store.ts";
import type { CheckpointRows } from "./checkpoint-operations.ts";
import type { CommitRows, DecisionRow, EventPage, ExecutionRow } from "./execution-operations.ts";
import { messageRow } from "./inbox.ts";
import type { WaitRow } from "./wait-operations.ts";

export function executionRow(execution: Execution): ExecutionRow {
  const { tenant, id, workflowId, status, createdAt, idempotencyKey, epoch, lastSeq, owner, leaseUntil, wakeAt, expireAt, relayAt } =
    execution;
  return {
    tenant,
    id,
    workflowId,
    status,
    createdAt,
    idempotencyKey,
    epoch,
    lastSeq,
    owner,
    leaseUntil,
    wakeAt,
    expireAt,
    relayAt,
    durationMs: durationOf(execution),
    parentId: execution.parent?.executionId ?? null,
    doc: JSON.stringify(execution),
  };
}

/** From start to end, of completed ones only: a failure or a cancellation says nothing about how long the work takes. */
function durationOf({ status, startedAt, endedAt }: Execution): number | null {
  return status === "COMPLETED" && startedAt !== null && endedAt !== null ? Date.parse(endedAt) - Date.parse(startedAt) : null;
}

/** The events of one commit as one row. */
export function pageOf(events: readonly ExecutionEvent[]): EventPage | null {
  const [first] = events;
  return first ? { firstSeq: first.seq, doc: JSON.stringify(events) } : null;
}

export function commitRows(commit: ExecutionCommit, checkpoints: CheckpointRows | null): CommitRows {
  const { guard, execution, events, decisions, openWaits, closeWaits, remindedWaits, consumed, values, sends, starts, memories, limits } =
    commit;
  return {
    guard: { epoch: guard.epoch, lastSeq: guard.lastSeq },
    row: executionRow(execution),
    page: pageOf(events),
    checkpoints,
    decisions: decisions.map(decisionRow),
    openWaits: openWaits.map(waitRow),
    closeWaits,
    remindedWaits: remindedWaits.map(({ id, reminders }) => ({ id, reminders: JSON.stringify(reminders) })),
    consumed,
    values: values.map(({ ref, value }) => ({ ref, doc: JSON.stringify(value) })),
    sends: sends.map(messageRow),
    starts: starts.map((started) => ({ row: executionRow(started.execution), page: pageOf(started.events) })),
    memories,
    limits,
  };
}

function decisionRow(decision: Decision): DecisionRow {
  const { id, executionId, workflowId, stepId, at } = decision;
  return { id, executionId, workflowId, stepId, at, doc: JSON.stringify(decision) };
}

function waitRow(wait: OpenWait): WaitRow {
  const { tenant, id, executionId, workflowId, kind, status, createdAt, answer } = wait;
  return {
    tenant,
    id,
    executionId,
    workflowId,
    kind,
    status,
    createdAt,
    answer: answer && JSON.stringify(answer),
    doc: JSON.stringify(wait),
  };
}
