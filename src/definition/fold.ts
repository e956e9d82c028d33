import type { ExecutionEvent } from "./event.ts";
import type { CheckpointView, ExecutionError, StepRecord } from "./execution.ts";
import type { Json, JsonObject } from "./json.ts";

/** An execution as its events up to some `seq` tell it. */
export interface FoldedExecution {
  seq: number;
  variables: JsonObject;
  steps: Map<string, StepRecord>;
  checkpoints: CheckpointView[];
}

/**
 * The one projection of events: step list, variables and time travel are this function with a larger or smaller `uptoSeq`. Pure;
 * 20,000 events take about a millisecond.
 */
export function foldEvents(events: readonly ExecutionEvent[], uptoSeq: number = Number.POSITIVE_INFINITY): FoldedExecution {
  const folded: FoldedExecution = { seq: 0, variables: {}, steps: new Map(), checkpoints: [] };
  for (const event of events) {
    if (event.seq > uptoSeq) break;
    folded.seq = event.seq;
    apply(folded, event);
  }
  return folded;
}

function apply(folded: FoldedExecution, event: ExecutionEvent): void {
  if (event.type === "execution.created") folded.variables = objectOf(event.data["variables"]);
  // A retry by hand may have changed variables.
  if (event.type === "execution.resumed") Object.assign(folded.variables, objectOf(event.data["set"]));
  if (event.stepId === null || event.visit === null) return;
  const key = `${event.branch ?? ""}/${event.stepId}/${event.visit}`;
  const record = folded.steps.get(key) ?? newRecord(event, event.stepId, event.visit);
  folded.steps.set(key, record);
  switch (event.type) {
    case "step.started":
      record.status = "RUNNING";
      record.startedAt ??= event.at;
      record.attempts = Math.max(record.attempts, event.attempt ?? 1);
      break;
    case "step.waiting":
      record.status = "WAITING";
      break;
    case "wait.resolved":
      record.status = "RUNNING";
      break;
    case "step.attempt_failed":
      record.error = errorOf(event);
      break;
    case "step.completed":
    case "step.skipped":
      end(folded, record, event, event.type === "step.completed" ? "COMPLETED" : "SKIPPED");
      record.error = null;
      break;
    case "step.failed":
      end(folded, record, event, "FAILED");
      record.error = errorOf(event);
      break;
    default:
      // Everything else is about the execution or detail of a step, not its state.
      break;
  }
}

function end(folded: FoldedExecution, record: StepRecord, event: ExecutionEvent, status: StepRecord["status"]): void {
  const { data, at } = event;
  record.status = status;
  record.endedAt = at;
  record.startedAt ??= at;
  record.durationMs = Date.parse(at) - Date.parse(record.startedAt);
  record.output = typeof data["outputRef"] === "string" ? { $ref: data["outputRef"] } : (data["output"] ?? null);
  record.next = typeof data["next"] === "string" ? data["next"] : null;
  for (const [name, value] of Object.entries(objectOf(data["set"]))) folded.variables[name] = value;
  for (const [name, ref] of Object.entries(objectOf(data["setRefs"]))) folded.variables[name] = { $ref: ref };
  folded.checkpoints.push({ seq: event.seq, stepId: event.stepId, label: event.summary, createdAt: at });
}

function newRecord(event: ExecutionEvent, stepId: string, visit: number): StepRecord {
  return {
    stepId,
    visit,
    branch: event.branch,
    status: "PENDING",
    attempts: event.attempt ?? 0,
    startedAt: null,
    endedAt: null,
    durationMs: null,
    output: null,
    error: null,
    next: null,
  };
}

function errorOf({ data, stepId, visit }: ExecutionEvent): ExecutionError {
  return {
    code: textOf(data["code"], "STEP_FAILED"),
    message: textOf(data["message"], ""),
    stepId,
    visit,
    path: typeof data["path"] === "string" ? data["path"] : null,
    retryable: data["retryable"] === true,
  };
}

function textOf(value: Json | undefined, otherwise: string): string {
  return typeof value === "string" ? value : otherwise;
}

function objectOf(value: Json | undefined): JsonObject {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : {};
}
