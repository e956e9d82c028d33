import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import Fastify, { LogController, type FastifyBaseLogger, type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import type { Config } from "../config.ts";
import { SignalboxError } from "../errors.ts";
import { createAuthenticate } from "./auth.ts";
import type { Caller } from "./credentials/caller.ts";
import { closeOnExpiry, expirySignal } from "./credentials/expiry.ts";
import { GRAPHQL_PATH, registerGraphQL } from "./graphql/http.ts";
import { createGraphQLSocket } from "./graphql/socket.ts";
import { createGuard } from "./guard.ts";
import { registerHealth, type Readiness } from "./health.ts";
import { registerCallbacks } from "./ingress/callbacks.ts";
import { registerEventIngress } from "./ingress/cloud-events.ts";
import { registerHooks } from "./ingress/hooks.ts";
import { registerPush } from "./ingress/push.ts";
import { LIVE_LIMITS, type LiveLimits } from "./live/outlet.ts";
import { serveSocket } from "./live/socket.ts";
import { registerSockets, SOCKET_PATH } from "./live/sockets.ts";
import { registerMetrics, type MetricsSource } from "./metrics.ts";
import type { CallContext, Services } from "./operations/operation.ts";
import { registerGraphiQL } from "./pages/graphiql.ts";
import { registerReference } from "./pages/reference.ts";
import { acceptJson } from "./rest/body.ts";
import { sendProblem } from "./rest/errors.ts";
import { refuseOthers, registerRoutes } from "./rest/routes.ts";

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
 * The API of one process: REST, GraphQL, WebSocket, health and the reference pages over one operation table. Not listening yet.
 * `close()` asks live clients to reconnect, lets requests finish, and is done within `closeMs`, whatever clients do.
 */
export async function createServer({
  config,
  readiness,
  logger,
  metrics,
  limits: given,
  closeMs = 3_000,
  ...services
}: ServerOptions): Promise<FastifyInstance> {
  const limits: LiveLimits = { ...LIVE_LIMITS, ...given };
  const closing = new AbortController();
  const authenticate = createAuthenticate(config, services.clock);
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

  async function contextOf(request: FastifyRequest, reply?: FastifyReply): Promise<CallContext> {
    return contextFor(await authenticate.byHeaders(request.headers), request, reply);
  }

  function contextFor({ principal, expiresAt }: Caller, request: FastifyRequest, reply?: FastifyReply): CallContext {
    const expired = () => expirySignal(expiresAt, services.clock, reply?.raw ?? request.raw.socket);
    return {
      services,
      principal,
      expiresAt,
      traceparent: traceparentOf(request),
      signal: once(() => AbortSignal.any([goneSignal(request, reply, closing.signal), ...expired()])),
    };
  }

  /** The caller of a WebSocket by its handshake, or by the credential of its first frame; undefined where neither is there. */
  async function contextOfSocket(request: FastifyRequest, credential?: string): Promise<CallContext | undefined> {
    const caller = credential === undefined ? await authenticate.byHandshake(request.headers) : await authenticate.byCredential(credential);
    return caller && contextFor(caller, request);
  }

  app.setErrorHandler(sendProblem);
  app.setNotFoundHandler((request) => {
    throw new SignalboxError("NOT_FOUND", `There is no ${request.method} ${request.url.split("?", 1)[0]}.`);
  });
  cutOffLate(app, { closing, closeMs, clock: services.clock });
  acceptJson(app);

  await registerSockets(app, { clock: services.clock, limits });
  // After the line above: it marks upgrades, and closes the sockets of those that are refused here.
  app.addHook("onRequest", async (request, reply) => {
    reply.header("x-request-id", request.id);
    guard(request);
    // Refused before the upgrade, where an HTTP status can still say why. GraphQL may bring its credential in the first frame.
    if (request.headers.upgrade === undefined) return;
    const isKnown = (await authenticate.byHandshake(request.headers)) !== undefined;
    if (!isKnown && request.url.startsWith(SOCKET_PATH)) await authenticate.byHeaders(request.headers);
  });
  if (metrics) registerMetrics(app, metrics);
  registerEventIngress(app);
  await registerHooks(app, { services, closing: closing.signal });
  await registerPush(app, { services, config });
  registerCallbacks(app, services);
  registerRoutes(app, { contextOf, limits, closing: closing.signal });
  await registerGraphQL(app, { contextOf, wsHandler: createGraphQLSocket({ contextOfSocket, clock: services.clock, limits }) });
  refuseOthers(app, GRAPHQL_PATH, ["GET", "POST"]);
  app.route({
    method: "GET",
    url: SOCKET_PATH,
    exposeHeadRoute: false,
    handler: async () => {
      throw new SignalboxError("INVALID_INPUT", "This address speaks WebSocket.");
    },
    wsHandler: async (socket, request) => {
      socket.pause(); // frames may come before the caller is known
      const context = await contextOf(request);
      closeOnExpiry(socket, context.expiresAt, services.clock);
      serveSocket({ socket, request, context, limits });
      socket.resume();
    },
  });
  registerHealth(app, { readiness, store: services.store, clock: services.clock });
  registerReference(app);
  registerGraphiQL(app);
  return app;
}

function traceparentOf({ headers: { traceparent } }: FastifyRequest): string | undefined {
  return typeof traceparent === "string" ? traceparent : undefined;
}

/** Aborts when the caller is gone or the service closes. */
function goneSignal(request: FastifyRequest, reply: FastifyReply | undefined, closing: AbortSignal): AbortSignal {
  const gone = new AbortController();
  (reply?.raw ?? request.raw.socket).once("close", () => gone.abort());
  return AbortSignal.any([gone.signal, closing]);
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

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
