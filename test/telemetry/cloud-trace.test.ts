import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ROOT_CONTEXT } from "@opentelemetry/api";
import { afterEach, expect, test, vi } from "vitest";
import { isCloudTrace, openCloudTraceExporter } from "../../src/adapters/google-cloud/span-exporter.ts";
import { startTracing } from "../../src/telemetry/tracing.ts";
import { startHttpServer } from "../support/http-server.ts";

const folder = mkdtempSync(join(tmpdir(), "signalbox-cloud-trace-"));
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

test("spans go to Cloud Trace in protobuf, with a token of the process's own Google account, and name the project", async () => {
  // The metadata server, as Workload Identity has it, and the receiver of the spans.
  await using google = await startHttpServer(({ path }, response) => {
    response.setHeader("metadata-flavor", "Google");
    if (path.includes("/token")) response.setHeader("content-type", "application/json");
    response.end(path.includes("/token") ? JSON.stringify({ access_token: "token-of-google", expires_in: 3_600 }) : "acme");
  });
  vi.stubEnv("GCE_METADATA_HOST", google.entry);
  vi.stubEnv("METADATA_SERVER_DETECTION", "assume-present");
  vi.stubEnv("GOOGLE_APPLICATION_CREDENTIALS", undefined);
  vi.stubEnv("CLOUDSDK_CONFIG", folder);
  const openExporter = () => openCloudTraceExporter(google.url);
  const { tracer, close } = await startTracing({ serviceName: "signalbox", instance: "pod-1", ratio: 1, project: "acme", openExporter });
  tracer.startSpan("execution line", {}, ROOT_CONTEXT).end();
  await close();
  const sent = google.requests.filter(({ path }) => path === "/v1/traces");
  expect(sent.map(({ headers }) => [headers["authorization"], headers["content-type"]])).toEqual([
    ["Bearer token-of-google", "application/x-protobuf"],
  ]);
  for (const text of ["execution line", "gcp.project_id", "acme"]) expect(sent[0]?.body).toContain(text);
  expect(google.requests.some(({ path }) => path.includes(encodeURIComponent("https://www.googleapis.com/auth/trace.append")))).toBe(true);
});

test.each([
  ["https://telemetry.googleapis.com", true],
  ["https://telemetry.googleapis.com/", true],
  ["http://collector.observability:4318", false],
  ["https://telemetry.googleapis.com.example.com", false],
])("%s is Cloud Trace: %s", (endpoint, is) => {
  expect(isCloudTrace(endpoint)).toBe(is);
});
