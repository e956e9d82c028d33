import { createHash, randomUUID } from "node:crypto";
import { USUAL_PRIORITY, type Execution, type NewExecution, type Parent, type TriggerInfo } from "../definition/execution.ts";
import { durationMs } from "../definition/duration.ts";
import type { ExecutionEvent } from "../definition/event.ts";
import { compileInputSchema } from "../definition/input-schema.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { WorkflowDefinition } from "../definition/workflow.ts";
import { parseTraceparent } from "../definition/trace-context.ts";
import { notFound, SignalboxError, type Issue } from "../errors.ts";
import { placeOfNew, type EventOutlet } from "../relay/outlet.ts";
import type { Clock } from "../ports/clock.ts";
import type { Queue } from "../ports/queue.ts";
import type { Store } from "../ports/store.ts";
import type { Actor, StartRequest } from "./executor.ts";
import { canonical } from "./canonical.ts";
import { limitOf } from "./limit-name.ts";
import { createWithin } from "./create-within.ts";
import { createLru } from "./lru.ts";
import type { Need } from "./places.ts";
import { rankOf } from "./rank.ts";
import { hidden } from "./secrets.ts";
import { createStartRate } from "./start-rate.ts";

/** Time a hint has to reach a worker before sweepers may take the execution up as well, milliseconds. */
const HINT_GRACE_MS = 1_000;
const MANUAL: TriggerInfo = { type: "manual", id: null, summary: "Started by hand", event: null };

interface StarterOptions {
  store: Store;
  queue: Queue;
  clock: Clock;
  outlet: EventOutlet;
  /** Starts of a tenant per second, in this process; undefined: as many as there are. */
  startsPerSecond?: ((tenant: string) => number | undefined) | undefined;
}

/** An execution that is about to be, with the limit that refuses it where there is no room: a start from outside heeds that. */
export interface Prepared extends NewExecution {
  refusedBy: Need | undefined;
}

/** Makes the execution that a request asks for, without writing anything. */
export type Prepare = (actor: Actor, request: StartRequest, parent?: Parent) => Promise<Prepared>;

/** Checks everything there is to check about a start. */
export function createPreparer({ store, clock, outlet }: Omit<StarterOptions, "queue">): Prepare {
  const validators = createLru<(value: JsonObject) => Issue[]>(500);

  async function definitionOf(
    tenant: string,
    request: StartRequest,
  ): Promise<{ version: number; definition: WorkflowDefinition; max: number | undefined }> {
    const workflow = await store.workflows.get(tenant, request.workflowId);
    if (!workflow) throw notFound("workflow", request.workflowId);
    if (workflow.status !== "active") {
      throw new SignalboxError("WORKFLOW_NOT_ACTIVE", `Workflow "${workflow.id}" is ${workflow.status}.`, {
        details: { status: workflow.status },
      });
    }
    const { version = workflow.version } = request;
    const newest = workflow.definition.limits?.concurrency?.max;
    if (version === workflow.version) return { version, definition: workflow.definition, max: newest };
    const definition = await store.workflows.getVersion(tenant, workflow.id, version);
    if (!definition) throw notFound("workflow version", `${workflow.id}@${version}`);
    return { version, definition, max: newest ?? definition.limits?.concurrency?.max };
  }

  function check(key: string, request: StartRequest, definition: WorkflowDefinition): void {
    const issues = definition.input ? validators.get(key, () => compileInputSchema(definition.input ?? {}))(request.input) : [];
    issues.push(...variableIssues(request.variables ?? {}, definition));
    if (issues.length > 0) throw new SignalboxError("INVALID_INPUT", issues[0]?.message, { issues });
  }

  return async (actor, request, parent) => {
    const { version, definition, max } = await definitionOf(actor.tenant, request);
    check(`${actor.tenant}/${request.workflowId}@${version}`, request, definition);
    const execution = { ...newExecution(actor, request, version, definition, clock.now()), parent: parent ?? null };
    const events = [createdEvent(execution, definition)];
    const placed = { ...execution, ...(await placeOfNew(outlet, execution, events, clock.now())) };
    const { limit } = execution;
    const refuses = limit !== undefined && max !== undefined && definition.limits?.concurrency?.onLimit === "reject";
    return { execution: placed, events, refusedBy: refuses ? { limit, max } : undefined };
  };
}

/** Accepts executions: everything is checked first, then one durable write, then a hint. */
export function createStarter({ store, queue, clock, outlet, startsPerSecond = () => undefined }: StarterOptions) {
  const prepare = createPreparer({ store, clock, outlet });
  const admit = createStartRate({ clock, perSecond: startsPerSecond });

  return async (actor: Actor, request: StartRequest): Promise<{ execution: Execution; created: boolean }> => {
    const retryInMs = admit(actor.tenant);
    if (retryInMs > 0) throw tooManyStarts(retryInMs);
    const prepared = await prepare(actor, request);
    const { execution, events } = prepared;
    const { created, ...handle } = await createWithin(store, prepared);
    if (!created) {
      if (handle.execution.requestDigest !== execution.requestDigest) throw new SignalboxError("IDEMPOTENCY_MISMATCH");
      return { execution: handle.execution, created };
    }
    outlet.committed(handle, events);
    await queue.enqueue({ tenant: actor.tenant, executionId: execution.id, handle, rank: rankOf(execution) });
    return { execution: handle.execution, created };
  };
}

function newExecution(actor: Actor, request: StartRequest, version: number, definition: WorkflowDefinition, now: number): Execution {
  const at = new Date(now).toISOString();
  const maxDuration = durationMs(definition.limits?.maxDuration ?? "");
  const execution: Execution = {
    schema: 1,
    id: request.id ?? randomUUID(),
    tenant: actor.tenant,
    workflowId: request.workflowId,
    workflowVersion: version,
    status: "PENDING",
    input: request.input,
    variables: {},
    initialVariables: request.variables ?? {},
    trigger: request.trigger ?? MANUAL,
    startedBy: actor.id,
    ...(parseTraceparent(request.traceparent) && { startedIn: request.traceparent }),
    priority: request.priority ?? USUAL_PRIORITY,
    tags: request.tags ?? [],
    idempotencyKey: request.idempotencyKey ?? null,
    requestDigest: request.idempotencyKey === undefined ? null : digest(request),
    createdAt: at,
    startedAt: null,
    endedAt: null,
    updatedAt: at,
    output: null,
    error: null,
    waits: [],
    isParked: false,
    mailbox: [],
    inFlight: {},
    checkpoints: {},
    groups: {},
    compensations: [],
    stepsTaken: 0,
    stepsTotal: definition.steps.length,
    usage: { modelCalls: 0, tokensIn: 0, tokensOut: 0, costUsd: 0 },
    lastSeq: 1,
    epoch: 0,
    owner: null,
    leaseUntil: null,
    wakeAt: now + HINT_GRACE_MS,
    deadlineAt: maxDuration === undefined ? null : now + maxDuration,
    seenSignals: [],
    idleClaims: 0,
    parent: null,
    expireAt: null,
  };
  const limit = limitOf(definition, execution);
  return limit === undefined ? execution : { ...execution, limit };
}

function tooManyStarts(retryInMs: number): SignalboxError {
  const seconds = Math.ceil(retryInMs / 1_000);
  return new SignalboxError("LIMIT_EXCEEDED", `More executions are started than the tenant may; there is room again in ${seconds} s.`, {
    details: { limit: "starts", retryInMs },
  });
}

function createdEvent(execution: Execution, definition: WorkflowDefinition): ExecutionEvent {
  const declared = Object.fromEntries(Object.entries(definition.variables).map(([name, { default: value }]) => [name, value ?? null]));
  return {
    seq: 1,
    at: execution.createdAt,
    type: "execution.created",
    stepId: null,
    visit: null,
    branch: null,
    attempt: null,
    summary: `${definition.name} version ${execution.workflowVersion} was started by ${execution.startedBy}.`,
    data: {
      workflowId: execution.workflowId,
      workflowVersion: execution.workflowVersion,
      trigger: { type: execution.trigger.type, id: execution.trigger.id, summary: execution.trigger.summary },
      ...(execution.parent && { parent: { executionId: execution.parent.executionId, stepId: execution.parent.stepId } }),
      variables: hidden({ ...declared, ...execution.initialVariables }, definition.variables),
    },
  };
}

/** What is wrong with values for declared variables. */
export function variableIssues(given: JsonObject, { variables }: WorkflowDefinition): Issue[] {
  return Object.entries(given).flatMap(([name, value]): Issue[] => {
    const pointer = `/variables/${name.replaceAll("~", "~0").replaceAll("/", "~1")}`;
    const declared = variables[name];
    if (!declared) return [{ code: "UNKNOWN_VARIABLE", pointer, message: `The workflow declares no variable "${name}".` }];
    return declared.type === "any" || value === null || typeOf(value) === declared.type
      ? []
      : [{ code: "TYPE_MISMATCH", pointer, message: `Variable "${name}" is a ${declared.type}, not a ${typeOf(value)}.` }];
  });
}

function typeOf(value: Json): string {
  return Array.isArray(value) ? "array" : typeof value;
}

function digest({ workflowId, version, input, variables }: StartRequest): string {
  return createHash("sha256")
    .update(canonical({ workflowId, version: version ?? null, input, variables: variables ?? {} }))
    .digest("hex");
}
