import type { FastifyInstance } from "fastify";
import type { Metrics } from "../telemetry/metrics.ts";

export interface MetricsSource {
  metrics: Metrics;
  /** Called before each answer, to set what is only known by looking. */
  sample(): void;
}

/**
 * `/metrics` in Prometheus' text format, without credentials: it tells sums, and the gateway does not route it. Every HTTP request
 * counts from here on, whichever plugin answers it.
 */
export function registerMetrics(app: FastifyInstance, { metrics, sample }: MetricsSource): void {
  const { registry, httpTime, sockets } = metrics;

  app.get("/metrics", { logLevel: "silent" }, async (_request, reply) => {
    sample();
    // A process that serves no API has no sockets.
    if (app.hasDecorator("websocketServer")) sockets.set(app.websocketServer.clients.size);
    return await reply.type(registry.contentType).send(await registry.metrics());
  });

  app.addHook("onResponse", async (request, reply) => {
    // The pattern, never the path: a scan for /wp-admin must not make a time series.
    const route = request.routeOptions.url ?? "none";
    httpTime.observe({ route, method: request.method, status: String(reply.statusCode) }, reply.elapsedTime / 1_000);
  });
}
