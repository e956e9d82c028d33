import { ROOT_CONTEXT, type Context, type Span, type SpanOptions } from "@opentelemetry/api";
import type { SpanExporter } from "@opentelemetry/sdk-trace";

/** A tracer that takes the ids of a span from outside, because they are made from the execution's id. */
export interface TracerWithIds {
  startSpan(name: string, options: SpanOptions, context: Context, ids?: { traceId: string; spanId: string }): Span;
}

export interface Tracing {
  tracer: TracerWithIds;
  /** Whether the spans of a trace are kept: receivers of what steps send are told, so that they decide alike. */
  isSampled(traceId: string): boolean;
  /** Sends what is waiting. */
  close(): Promise<void>;
}

export interface TracingOptions {
  serviceName: string;
  /** Names the process: the pod, on Kubernetes. */
  instance: string;
  /** Share of executions that are traced, 0 to 1; every process decides alike. */
  ratio: number;
  /** Google Cloud project the spans are of; Cloud Trace asks for it. */
  project?: string | undefined;
  /** Opens where spans go; OTLP over HTTP by the OTEL_EXPORTER_OTLP_* variables unless given. */
  openExporter?: (() => Promise<SpanExporter>) | undefined;
}

/** Loads OpenTelemetry's SDK, which nobody pays for who does not trace, and starts sending spans. */
export async function startTracing({
  serviceName,
  instance,
  ratio,
  project,
  openExporter = otlpExporter,
}: TracingOptions): Promise<Tracing> {
  const { BatchSpanProcessor, RandomIdGenerator, SamplingDecision, TraceIdRatioBasedSampler, TracerProvider } =
    await import("@opentelemetry/sdk-trace");
  const { resourceFromAttributes } = await import("@opentelemetry/resources");
  const random = new RandomIdGenerator();
  // By trace id alone: all processes of an execution agree without talking.
  const sampler = new TraceIdRatioBasedSampler(ratio);
  let given: { traceId: string; spanId: string } | undefined;
  const provider = new TracerProvider({
    resource: resourceFromAttributes({
      "service.name": serviceName,
      "service.instance.id": instance,
      ...(project !== undefined && { "gcp.project_id": project }),
    }),
    sampler,
    idGenerator: {
      generateTraceId: () => given?.traceId ?? random.generateTraceId(),
      generateSpanId: () => given?.spanId ?? random.generateSpanId(),
    },
    spanProcessors: [new BatchSpanProcessor({ exporter: await openExporter() })],
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
    isSampled: (traceId) => sampler.shouldSample(ROOT_CONTEXT, traceId).decision === SamplingDecision.RECORD_AND_SAMPLED,
    close: () => provider.shutdown(),
  };
}

async function otlpExporter(): Promise<SpanExporter> {
  const { OTLPTraceExporter } = await import("@opentelemetry/exporter-trace-otlp-http");
  return new OTLPTraceExporter();
}
