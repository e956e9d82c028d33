import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution } from "../definition/execution.ts";
import { cloudEventOf, type Traceparent } from "../relay/cloud-event.ts";
import type { EventSink } from "../relay/sink.ts";
import { incoming, isEnd } from "./completion.ts";
import type { IncomingEvent } from "../definition/received-event.ts";
import { toSignalboxError } from "../errors.ts";
import type { TriggerManager } from "./manager.ts";

type Log = (message: string, fields: Record<string, unknown>) => void;

export interface CompletionSinkOptions {
  triggers: TriggerManager;
  traceparent: Traceparent;
  log: Log;
}

/** Ends of executions to the completion triggers that listen to their workflow. */
export function completionSink({ triggers, traceparent, log }: CompletionSinkOptions): EventSink {
  return {
    name: "completion",
    wants: (execution, event) => isEnd(event) && triggers.listensToEnd(execution),
    async take(execution, events) {
      for (const event of events) {
        const outcomes = await triggers.ended(execution, incoming(cloudEventOf(execution, event, traceparent)));
        for (const { workflowId, triggerId, status, code } of outcomes)
          if (status === "REFUSED") log("completion refused", { executionId: execution.id, workflowId, triggerId, code });
      }
    },
  };
}

export interface PublishedSinkOptions {
  /** Where events come in. */
  publish(tenant: string, event: IncomingEvent): Promise<unknown>;
  traceparent: Traceparent;
  log: Log;
}

/** Events that authors publish, to where events come in. One that can never be taken (it does not fit its type) is passed over. */
export function publishedSink({ publish, traceparent, log }: PublishedSinkOptions): EventSink {
  async function publishOne(execution: Execution, event: ExecutionEvent): Promise<void> {
    try {
      await publish(execution.tenant, incoming(cloudEventOf(execution, event, traceparent)));
    } catch (thrown) {
      const error = toSignalboxError(thrown);
      if (error.retryable || error.code === "INTERNAL") throw thrown;
      log("published event refused", { executionId: execution.id, stepId: event.stepId, code: error.code, reason: error.message });
    }
  }

  return {
    name: "published",
    wants: (_execution, event) => event.type === "event.published",
    async take(execution, events) {
      for (const event of events) await publishOne(execution, event);
    },
  };
}
