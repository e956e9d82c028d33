import { commitMetrics } from "./commit-metrics.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import type { CommitObserver } from "./observer.ts";
import { traceparentOf, type Place } from "./trace-ids.ts";
import type { TracingOptions } from "./tracing.ts";
import { transitionLog, type TransitionSink } from "./transition-log.ts";

export interface Telemetry {
  metrics: Metrics;
  /** To be told of every commit. */
  observers: CommitObserver[];
  /** W3C `traceparent` of a visit, for what it sends out. */
  traceparent(executionId: string, visit: Place): string;
  /** Sends spans that wait. */
  close(): Promise<void>;
}

export interface TelemetryOptions {
  log: TransitionSink;
  /** Undefined: nothing is traced, and nothing of OpenTelemetry's SDK is loaded. */
  tracing?: TracingOptions | undefined;
}

/** Metrics, transition log and, where asked for, traces of one process. */
export async function startTelemetry({ log, tracing }: TelemetryOptions): Promise<Telemetry> {
  const metrics = createMetrics();
  const observers = [commitMetrics(metrics), transitionLog(log)];
  // Not traced here, but the ids are those of our log lines.
  if (!tracing) return { metrics, observers, traceparent: (id, visit) => traceparentOf(id, visit, () => false), close: async () => {} };
  const [{ startTracing }, { commitSpans }] = await Promise.all([import("./tracing.ts"), import("./spans.ts")]);
  const { tracer, isSampled, close } = await startTracing(tracing);
  // A collector that is away must not keep the process from ending well.
  return {
    metrics,
    observers: [...observers, commitSpans(tracer)],
    traceparent: (id, visit) => traceparentOf(id, visit, isSampled),
    close: () => close().catch(() => {}),
  };
}
