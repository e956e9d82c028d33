import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace, TraceFlags, type Attributes, type Context, type Link } from "@opentelemetry/api";
import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution } from "../definition/execution.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import { parseTraceparent } from "../definition/trace-context.ts";
import type { ExecutionCommit } from "../ports/store.ts";
import { amountOf, wordOf } from "./event-data.ts";
import { GEN_AI } from "./gen-ai.ts";
import type { CommitObserver, VisitTimes } from "./observer.ts";
import { spanIdOf, traceIdOf } from "./trace-ids.ts";
import type { TracerWithIds } from "./tracing.ts";

/** Makes a span of each execution, step visit and model call when its end was committed: none is open in memory, none is lost with it. */
export function commitSpans(tracer: TracerWithIds): CommitObserver {
  function record(event: ExecutionEvent, { execution }: ExecutionCommit, startOf: VisitTimes): void {
    switch (event.type) {
      case "execution.completed":
      case "execution.failed":
      case "execution.cancelled":
        return endExecution(execution, event);
      case "step.completed":
      case "step.failed":
        return endStep(execution, event, startOf(event));
      case "model.usage":
        return endModelCall(execution, event);
      default:
        return; // no span begins or ends with it
    }
  }

  function endExecution(execution: Execution, event: ExecutionEvent): void {
    const span = tracer.startSpan(
      `execution ${execution.workflowId}`,
      {
        startTime: Date.parse(execution.createdAt),
        kind: SpanKind.INTERNAL,
        root: true,
        attributes: attributesOf(execution),
        links: linksOf(execution),
      },
      ROOT_CONTEXT,
      { traceId: traceIdOf(execution.id), spanId: spanIdOf(execution.id) },
    );
    if (execution.error) span.setStatus({ code: SpanStatusCode.ERROR, message: execution.error.code });
    span.end(Date.parse(event.at));
  }

  function endStep(execution: Execution, event: ExecutionEvent, startedAt: number | undefined): void {
    const endedAt = Date.parse(event.at);
    const attributes = {
      ...attributesOf(execution),
      "signalbox.step.id": event.stepId ?? "",
      "signalbox.step.type": wordOf(event.data["type"]),
      "signalbox.step.visit": event.visit ?? 1,
      "signalbox.step.attempt": event.attempt ?? 1,
    };
    const ids = { traceId: traceIdOf(execution.id), spanId: spanIdOf(execution.id, event) };
    // A visit that began in another process is shown as the moment of its end.
    const span = tracer.startSpan(`step ${event.stepId}`, { startTime: startedAt ?? endedAt, attributes }, within(execution.id), ids);
    if (event.type === "step.failed") span.setStatus({ code: SpanStatusCode.ERROR, message: wordOf(event.data["code"]) });
    span.end(endedAt);
  }

  function endModelCall(execution: Execution, event: ExecutionEvent): void {
    const { model, in: tokensIn, out: tokensOut, costUsd, latencyMs } = event.data;
    const [provider = "", ...name] = wordOf(model).split(":");
    const endedAt = Date.parse(event.at);
    const attributes: Attributes = {
      ...attributesOf(execution),
      [GEN_AI.operation]: "chat",
      [GEN_AI.provider]: provider,
      [GEN_AI.requestModel]: name.join(":"),
      [GEN_AI.inputTokens]: amountOf(tokensIn),
      [GEN_AI.outputTokens]: amountOf(tokensOut),
      "signalbox.model.cost_usd": amountOf(costUsd),
    };
    const span = tracer.startSpan(
      `chat ${name.join(":")}`,
      { startTime: endedAt - amountOf(latencyMs), kind: SpanKind.CLIENT, attributes },
      within(execution.id, event),
    );
    span.end(endedAt);
  }

  return {
    committed(commit, startOf) {
      for (const event of commit.events) record(event, commit, startOf);
    },
  };
}

function attributesOf({ id, workflowId, workflowVersion, tenant }: Execution): Attributes {
  return {
    "signalbox.execution.id": id,
    "signalbox.workflow.id": workflowId,
    "signalbox.workflow.version": workflowVersion,
    "signalbox.tenant": tenant,
  };
}

/** What led to the execution, in traces of its own: the request, the event, the execution that waits for it. */
function linksOf({ startedIn, trigger, parent }: Execution): Link[] {
  const links = [parseTraceparent(startedIn), parseTraceparent(traceparentOfEvent(trigger.event))].flatMap((context) =>
    context
      ? [{ context: { traceId: context.traceId, spanId: context.spanId, traceFlags: Number(context.isSampled), isRemote: true } }]
      : [],
  );
  const outer = parent && trace.getSpanContext(within(parent.executionId));
  return outer ? [...links, { context: outer }] : links;
}

/** CloudEvents' extension for tracing. */
function traceparentOfEvent(event: Json): Json | undefined {
  const extensions = isObject(event) ? event["extensions"] : undefined;
  return isObject(extensions) ? extensions["traceparent"] : undefined;
}

function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The context of what happens inside the execution, or inside a visit of it. */
function within(executionId: string, visit?: ExecutionEvent): Context {
  const spanContext = {
    traceId: traceIdOf(executionId),
    spanId: spanIdOf(executionId, visit),
    traceFlags: TraceFlags.SAMPLED,
    isRemote: true,
  };
  return trace.setSpanContext(ROOT_CONTEXT, spanContext);
}
