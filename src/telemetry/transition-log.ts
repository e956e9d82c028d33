import type { ExecutionEvent, ExecutionEventType } from "../definition/event.ts";
import type { Execution } from "../definition/execution.ts";
import type { CommitObserver } from "./observer.ts";
import { spanIdOf, traceIdOf } from "./trace-ids.ts";

export type LogLevel = "debug" | "info" | "warn";

/** Levels by what an operator wants to see of a healthy service: ends and trouble. Everything else is there at `debug`. */
const LEVELS: Partial<Record<ExecutionEventType, LogLevel>> = {
  "execution.created": "info",
  "execution.queued": "info",
  "execution.parked": "info",
  "execution.paused": "info",
  "execution.resumed": "info",
  "execution.completed": "info",
  "execution.cancelled": "info",
  "execution.failed": "warn",
  "step.attempt_failed": "warn",
  "step.failed": "warn",
};

/** What a transition is written to; the service's logger is one. */
export interface TransitionSink extends Record<LogLevel, (fields: Record<string, unknown>, message: string) => void> {
  isLevelEnabled(level: LogLevel): boolean;
}

/** One line per transition with the ids to find it by, and with the trace it belongs to. Never its data. */
export function transitionLog(sink: TransitionSink): CommitObserver {
  function write(type: ExecutionEventType, execution: Execution, event?: ExecutionEvent): void {
    const level = LEVELS[type] ?? "debug";
    // Most lines are not wanted: their ids are not even made.
    if (!sink.isLevelEnabled(level)) return;
    const { id: executionId, workflowId, tenant } = execution;
    const traceId = traceIdOf(executionId);
    if (!event) return sink[level]({ executionId, workflowId, tenant, traceId, spanId: spanIdOf(executionId) }, type);
    const { stepId, visit, branch, attempt, seq } = event;
    const step = stepId === null ? {} : { stepId, visit, branch, attempt };
    const code = typeof event.data["code"] === "string" ? { code: event.data["code"] } : {};
    sink[level]({ executionId, workflowId, tenant, ...step, seq, ...code, traceId, spanId: spanIdOf(executionId, event) }, type);
  }

  return {
    created: (execution) => write("execution.created", execution),
    committed({ execution, events }) {
      for (const event of events) write(event.type, execution, event);
    },
  };
}
