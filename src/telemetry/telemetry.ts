import { commitMetrics } from "./commit-metrics.ts";
import { createMetrics, type Metrics } from "./metrics.ts";
import type { CommitObserver } from "./observer.ts";
import { transitionLog, type TransitionSink } from "./transition-log.ts";

export interface Telemetry {
  metrics: Metrics;
  /** To be told of every commit. */
  observers: CommitObserver[];
  /** Sends spans that wait. */
  close(): Promise<void>;
}

export interface TelemetryOptions {
  log: TransitionSink;
  /** Undefined: nothing is traced, and nothing of OpenTelemetry's SDK is loaded. */
  tracing?: { serviceName: string; instance: string; ratio: number } | undefined;
}

/** Metrics, transition log and, where asked for, traces of one process. */
export async function startTelemetry({ log, tracing }: TelemetryOptions): Promise<Telemetry> {
  const metrics = createMetrics();
  const observers = [commitMetrics(metrics), transitionLog(log)];
  if (!tracing) return { metrics, observers, close: async () => {} };
  const [{ startTracing }, { commitSpans }] = await Promise.all([import("./tracing.ts"), import("./spans.ts")]);
  const { tracer, close } = await startTracing(tracing);
  // A collector that is away must not keep the process from ending well.
  return { metrics, observers: [...observers, commitSpans(tracer)], close: () => close().catch(() => {}) };
}
