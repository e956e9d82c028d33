import { randomUUID } from "node:crypto";
import type { Checkpoint, CheckpointMetadata } from "@langchain/langgraph-checkpoint";
import { emptyCheckpoint, uuid6 } from "@langchain/langgraph-checkpoint";
import type { Decision } from "../../../src/definition/decision.ts";
import type { ExecutionEvent } from "../../../src/definition/event.ts";
import type { Execution, InboxMessage } from "../../../src/definition/execution.ts";
import type { OpenWait } from "../../../src/definition/wait.ts";
import type { Workflow } from "../../../src/definition/workflow.ts";
import type { CheckpointPut, ExecutionCommit, ExecutionHandle, Store } from "../../../src/ports/store.ts";
import { emptyParts } from "../../../src/executor/empty-commit.ts";

/** Instant all fixtures hang on, so that order and paging are told by offsets. */
export const START = Date.parse("2026-01-01T00:00:00.000Z");

export const at = (offsetMs: number): string => new Date(START + offsetMs).toISOString();

/** A tenant nobody else uses: tests share a store without meeting. */
export const newTenant = (): string => `tenant-${randomUUID()}`;

export function aWorkflow(over: Partial<Workflow> & { tenant: string }): Workflow {
  const id = over.id ?? `w-${randomUUID()}`;
  return {
    id,
    version: 1,
    revision: 1,
    status: "active",
    definition: {
      name: id,
      variables: {},
      tags: [],
      triggers: [],
      steps: [{ id: "end", name: "end", type: "end", config: {}, nextSteps: [] }],
    },
    createdAt: at(0),
    updatedAt: at(0),
    ...over,
  }; // the definition is the smallest that fits; what it says is nothing to the store
}

export function anExecution(over: Partial<Execution> & { tenant: string }): Execution {
  return {
    schema: 1,
    id: randomUUID(),
    workflowId: "orders",
    workflowVersion: 1,
    status: "PENDING",
    input: {},
    variables: {},
    initialVariables: {},
    trigger: { type: "api", id: null, summary: "started by a test", event: null },
    startedBy: "test",
    priority: 5,
    tags: [],
    idempotencyKey: null,
    requestDigest: null,
    createdAt: at(0),
    startedAt: null,
    endedAt: null,
    updatedAt: at(0),
    output: null,
    error: null,
    waits: [],
    isParked: false,
    deadlineAt: null,
    seenSignals: [],
    mailbox: [],
    inFlight: {},
    checkpoints: {},
    groups: {},
    compensations: [],
    stepsTaken: 0,
    stepsTotal: 1,
    usage: { modelCalls: 0, tokensIn: 0, tokensOut: 0, costUsd: 0 },
    lastSeq: 1,
    epoch: 0,
    owner: null,
    leaseUntil: null,
    wakeAt: START,
    idleClaims: 0,
    parent: null,
    expireAt: null,
    ...over,
  };
}

export function anEvent(seq: number, over: Partial<ExecutionEvent> = {}): ExecutionEvent {
  return {
    seq,
    at: at(seq),
    type: seq === 1 ? "execution.created" : "step.started",
    stepId: seq === 1 ? null : "end",
    visit: seq === 1 ? null : 1,
    branch: null,
    attempt: seq === 1 ? null : 1,
    summary: `event ${seq}`,
    data: { n: seq },
    ...over,
  };
}

export function someEvents(from: number, to: number): ExecutionEvent[] {
  return Array.from({ length: to - from + 1 }, (_, index) => anEvent(from + index));
}

/** An execution with two events that another one starts. */
export function childOf({ id, tenant }: Pick<Execution, "id" | "tenant">, over: Partial<Execution> = {}): Execution {
  return anExecution({ tenant, lastSeq: 2, parent: { executionId: id, stepId: "call", waitId: null, depth: 1 }, ...over });
}

/** Creates an execution with its first event. */
export async function start(store: Store, over: Partial<Execution> & { tenant: string }): Promise<ExecutionHandle> {
  const execution = anExecution(over);
  return await store.executions.create(execution, someEvents(1, execution.lastSeq));
}

/** The next commit on a handle: as many events as `lastSeq` grows by, everything else empty unless told. */
export function commitOn(handle: ExecutionHandle, over: Partial<Execution>, parts: Partial<ExecutionCommit> = {}): ExecutionCommit {
  const { epoch, lastSeq } = handle.execution;
  const execution = { ...handle.execution, ...over };
  return {
    guard: { epoch, lastSeq, token: handle.token },
    execution,
    events: execution.lastSeq > lastSeq ? someEvents(lastSeq + 1, execution.lastSeq) : [],
    ...emptyParts(),
    ...parts,
  };
}

/** A claim: epoch + 1, an owner, a lease of 15 s, one event. */
export function claimOn(handle: ExecutionHandle, owner: string, now: number = START): ExecutionCommit {
  const { epoch, lastSeq } = handle.execution;
  return commitOn(handle, {
    epoch: epoch + 1,
    lastSeq: lastSeq + 1,
    owner,
    status: "RUNNING",
    startedAt: handle.execution.startedAt ?? new Date(now).toISOString(),
    updatedAt: new Date(now).toISOString(),
    leaseUntil: now + 15_000,
    wakeAt: now + 15_000,
  });
}

export async function claimed(store: Store, handle: ExecutionHandle, owner: string, now: number = START): Promise<ExecutionHandle> {
  return await store.executions.commit(claimOn(handle, owner, now));
}

export function aMessage(execution: { tenant: string; id: string }, over: Partial<InboxMessage> = {}): InboxMessage {
  return {
    id: randomUUID(),
    tenant: execution.tenant,
    executionId: execution.id,
    at: at(0),
    principal: "someone",
    body: { type: "signal", event: "paid", data: { amount: 12 }, eventId: null },
    ...over,
  };
}

export function aWait(execution: Pick<Execution, "tenant" | "id" | "workflowId">, over: Partial<OpenWait> = {}): OpenWait {
  return {
    id: `wait-${randomUUID()}`,
    tenant: execution.tenant,
    executionId: execution.id,
    workflowId: execution.workflowId,
    kind: "approval",
    stepId: "approve",
    path: "approve",
    visit: 1,
    status: "open",
    title: "Approve it?",
    request: { assignees: ["ada"] },
    createdAt: at(0),
    expiresAt: null,
    answer: null,
    ...over,
  };
}

export function aDecision(execution: Pick<Execution, "id" | "workflowId">, over: Partial<Decision> = {}): Decision {
  return {
    id: `decision-${randomUUID()}`,
    executionId: execution.id,
    workflowId: execution.workflowId,
    workflowVersion: 1,
    stepId: "route",
    visit: 1,
    at: at(0),
    source: "model",
    selected: "ship",
    candidates: [{ id: "ship", description: "Ship it", allowed: true, verdict: "allowed" }],
    confidence: 0.9,
    rationale: "because",
    offline: false,
    model: "scripted:offline",
    promptDigest: null,
    attempts: [],
    guardrails: [],
    events: [],
    latencyMs: 1,
    tokensIn: 1,
    tokensOut: 1,
    costUsd: 0,
    answeredBy: null,
    state: {},
    ...over,
  };
}

/** One checkpoint with the given channels, all of them new. */
export function aCheckpointPut(channels: Record<string, unknown>, over: Partial<CheckpointPut> = {}): CheckpointPut {
  const versions = Object.fromEntries(Object.keys(channels).map((channel) => [channel, 1]));
  const checkpoint: Checkpoint = { ...emptyCheckpoint(), id: uuid6(0), channel_values: channels, channel_versions: versions };
  const metadata: CheckpointMetadata = { source: "loop", step: 0, parents: {} };
  return { ns: "", parentId: null, checkpoint, metadata, newVersions: versions, ...over };
}

/** Codes of what was refused. */
export function refusalCodes(outcomes: readonly PromiseSettledResult<unknown>[]): unknown[] {
  return outcomes.flatMap((outcome) => (outcome.status === "rejected" ? [(outcome.reason as { code?: unknown }).code] : []));
}

/** Every page of a list, one after the other. */
export async function allPages<T>(
  list: (pageToken: string | undefined) => Promise<{ items: T[]; nextPageToken?: string | undefined }>,
): Promise<T[]> {
  const items: T[] = [];
  let pageToken: string | undefined;
  do {
    const page = await list(pageToken);
    items.push(...page.items);
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
  return items;
}

/** Collects what a watcher is called with; `until` resolves once the calls so far fulfil the condition. */
export function watching<A extends unknown[]>(subscribe: (onChange: (...call: A) => void) => () => void) {
  const calls: A[] = [];
  let wake = () => {};
  const stop = subscribe((...call) => {
    calls.push(call);
    wake();
  });
  return {
    calls,
    stop,
    async until(condition: (calls: A[]) => boolean): Promise<void> {
      while (!condition(calls)) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}
