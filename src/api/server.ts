import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Config } from "../config.ts";
import { SignalboxError } from "../errors.ts";
import { createGuard } from "./guard.ts";
import { registerHealth, type Readiness } from "./health.ts";
import { LIVE_LIMITS, type LiveLimits } from "./live/outlet.ts";
import { registerMetrics, type MetricsSource } from "./metrics.ts";
import type { Services } from "./operations/operation.ts";
import { acceptJson } from "./rest/body.ts";
import { sendProblem } from "./rest/errors.ts";

const CLOSE_IDLE_EVERY_MS = 50;
const REQUEST_ID = /^[\w.:-]{1,128}$/;

export interface ServerOptions extends Services {
  config: Config;
  /** Whether this process wants traffic; asked by `/readyz`. */
  readiness: Readiness;
  /** The service's logger; one of its own at `config.SIGNALBOX_LOG` unless given. */
  logger?: FastifyBaseLogger;
  /** What `/metrics` shows; the address does not exist unless given. */
  metrics?: MetricsSource;
  limits?: Partial<LiveLimits>;
  /** How long `close` lets requests under way finish before their connections are cut, milliseconds. */
  closeMs?: number;
}

/**
 * What one process answers: health and metrics, and unless it is a worker alone the API with its reference pages. Not listening yet.
 * `close()` asks live clients to reconnect, lets requests finish, and is done within `closeMs`, whatever clients do.
 */
export async function createServer({
  config,
  readiness,
  logger,
  metrics,
  limits,
  closeMs = 3_000,
  ...services
}: ServerOptions): Promise<FastifyInstance> {
  const closing = new AbortController();
  const guard = createGuard(config);
  const app = Fastify({
    ...(logger ? { loggerInstance: logger } : { logger: config.SIGNALBOX_LOG === "silent" ? false : { level: config.SIGNALBOX_LOG } }),
    // One line per request at info would cost more than the request; transitions are logged by who makes them.
    logController: new LogController({ disableRequestLogging: true }),
    // Whoever reached us before the door closed is served; new connections are refused by then.
    return503OnClosing: false,
    bodyLimit: config.SIGNALBOX_BODY_LIMIT,
    routerOptions: { maxParamLength: 512 },
    requestIdHeader: false,
    genReqId: ({ headers: { "x-request-id": asked } }) => (typeof asked === "string" && REQUEST_ID.test(asked) ? asked : randomUUID()),
    frameworkErrors: (error, request, reply) => void sendProblem(error, request, reply),
    forceCloseConnections: "idle",
  });

  app.setErrorHandler(sendProblem);
  app.setNotFoundHandler((request) => {
    throw new SignalboxError("NOT_FOUND", `There is no ${request.method} ${request.url.split("?", 1)[0]}.`);
  });
  cutOffLate(app, { closing, closeMs, clock: services.clock });
  acceptJson(app);

  if (metrics) registerMetrics(app, metrics);
  registerHealth(app, { readiness, store: services.store, clock: services.clock });
  const admit = (request: FastifyRequest, reply: FastifyReply): void => {
    reply.header("x-request-id", request.id);
    guard(request);
  };
  if (config.SIGNALBOX_ROLE === "worker") {
    app.addHook("onRequest", async (request, reply) => admit(request, reply));
    return app;
  }
  // A worker has no use for GraphQL and sockets: 330 modules.
  const { registerSurfaces } = await import("./surfaces.ts");
  await registerSurfaces(app, { config, services, limits: { ...LIVE_LIMITS, ...limits }, closing: closing.signal, admit });
  return app;
}

/**
 * Ends what would keep `close` waiting for ever: streams and long waits at once, requests and sockets of clients that do not
 * go after `closeMs`. Fastify alone waited longer than 4 s for one open WebSocket.
 */
function cutOffLate(
  app: FastifyInstance,
  { closing, closeMs, clock }: { closing: AbortController; closeMs: number; clock: Services["clock"] },
): void {
  // All of them: `closeAllConnections` knows nothing of upgraded ones.
  const connections = new Set<Socket>();
  app.server.on("connection", (socket) => {
    connections.add(socket);
    socket.once("close", () => connections.delete(socket));
  });
  let stops: (() => void)[] = [];
  /** Connections that become idle while closing would stay open for the keep-alive time. */
  function closeIdle(): void {
    app.server.closeIdleConnections();
    stops[1] = clock.after(CLOSE_IDLE_EVERY_MS, closeIdle);
  }
  app.addHook("preClose", async () => {
    closing.abort();
    stops = [
      clock.after(closeMs, () => {
        for (const socket of connections) socket.destroy();
      }),
    ];
    closeIdle();
  });
  app.addHook("onClose", async () => {
    for (const stop of stops) stop();
  });
}
