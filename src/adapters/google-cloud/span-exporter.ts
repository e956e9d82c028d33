import type { SpanExporter } from "@opentelemetry/sdk-trace";

/** Where Cloud Trace takes OTLP. */
const CLOUD_TRACE_HOST = "telemetry.googleapis.com";
const SCOPES = ["https://www.googleapis.com/auth/trace.append"];

/** Whether spans sent to this endpoint need Google's credentials. */
export function isCloudTrace(endpoint: string): boolean {
  return new URL(endpoint).hostname === CLOUD_TRACE_HOST;
}

/**
 * Sends spans to Cloud Trace as OTLP in protobuf (its JSON has ids in another notation), each time with a token of the process's own
 * Google credentials: Workload Identity on GKE, `gcloud auth application-default login` elsewhere. Loaded when it is asked for.
 */
export async function openCloudTraceExporter(endpoint: string): Promise<SpanExporter> {
  const [{ OTLPTraceExporter }, { GoogleAuth }] = await Promise.all([
    import("@opentelemetry/exporter-trace-otlp-proto"),
    import("google-auth-library"),
  ]);
  const auth = new GoogleAuth({ scopes: SCOPES });
  return new OTLPTraceExporter({
    url: `${endpoint.replace(/\/$/, "")}/v1/traces`,
    // Kept by the library until shortly before it ends.
    headers: async () => Object.fromEntries(await auth.getRequestHeaders()),
  });
}
