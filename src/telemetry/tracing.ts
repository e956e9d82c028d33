import type { Context, Span, SpanOptions } from "@opentelemetry/api";
import type { SpanExporter } from "@opentelemetry/sdk-trace";

/** A tracer that takes the ids of a span from outside, because they are made from the execution's id. */
export interface TracerWithIds {
  startSpan(name: string, options: SpanOptions, context: Context, ids?: { traceId: string; spanId: string }): Span;
}

export interface Tracing {
  tracer: TracerWithIds;
  /** Sends what is waiting. */
  close(): Promise<void>;
}

export interface TracingOptions {
  serviceName: string;
  /** Names the process: the pod, on Kubernetes. */
  instance: string;
  /** Share of executions that are traced, 0 to 1; every process decides alike. */
  ratio: number;
  /** Where spans go; OTLP over HTTP by the OTEL_EXPORTER_OTLP_* variables unless given. */
  exporter?: SpanExporter;
}

/** Loads OpenTelemetry's SDK, which nobody pays for who does not trace, and starts sending spans. */
export async function startTracing({ serviceName, instance, ratio, exporter }: TracingOptions): Promise<Tracing> {
  const { BatchSpanProcessor, RandomIdGenerator, TraceIdRatioBasedSampler, TracerProvider } = await import("@opentelemetry/sdk-trace");
  const { resourceFromAttributes } = await import("@opentelemetry/resources");
  const random = new RandomIdGenerator();
  let given: { traceId: string; spanId: string } | undefined;
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ "service.name": serviceName, "service.instance.id": instance }),
    // By trace id alone: all processes of an execution agree without talking.
    sampler: new TraceIdRatioBasedSampler(ratio),
    idGenerator: {
      generateTraceId: () => given?.traceId ?? random.generateTraceId(),
      generateSpanId: () => given?.spanId ?? random.generateSpanId(),
    },
    spanProcessors: [new BatchSpanProcessor({ exporter: exporter ?? (await otlpExporter()) })],
  });
  const tracer = provider.getTracer("signalbox");
  return {
    tracer: {
      startSpan(name, options, context, ids) {
        given = ids;
        try {
          return tracer.startSpan(name, options, context);
        } finally {
          given = undefined;
        }
      },
    },
    close: () => provider.shutdown(),
  };
}

async function otlpExporter(): Promise<SpanExporter> {
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
  return new OTLPTraceExporter();
}
