import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { Config } from "../config.ts";
import { SignalboxError } from "../errors.ts";
import { createAuthenticate } from "./auth.ts";
import type { Caller } from "./credentials/caller.ts";
import { closeOnExpiry, expirySignal } from "./credentials/expiry.ts";
import { GRAPHQL_PATH, registerGraphQL } from "./graphql/http.ts";
import { createGraphQLSocket } from "./graphql/socket.ts";
import { registerCallbacks } from "./ingress/callbacks.ts";
import { registerEventIngress } from "./ingress/cloud-events.ts";
import { registerHooks } from "./ingress/hooks.ts";
import { registerPush } from "./ingress/push.ts";
import type { LiveLimits } from "./live/outlet.ts";
import { serveSocket } from "./live/socket.ts";
import { registerSockets, SOCKET_PATH } from "./live/sockets.ts";
import type { CallContext, Services } from "./operations/operation.ts";
import { registerGraphiQL } from "./pages/graphiql.ts";
import { registerReference } from "./pages/reference.ts";
import { refuseOthers, registerRoutes } from "./rest/routes.ts";

interface SurfacesOptions {
  config: Config;
  services: Services;
  limits: LiveLimits;
  /** Aborts when the service closes. */
  closing: AbortSignal;
  /** Refuses what no caller of ours sends. */
  admit(request: FastifyRequest, reply: FastifyReply): void;
}

/** Everything callers use: REST, GraphQL, WebSocket, what comes in from outside, and the reference pages. */
export async function registerSurfaces(app: FastifyInstance, { config, services, limits, closing, admit }: SurfacesOptions): Promise<void> {
  const authenticate = await createAuthenticate(config, services.clock);

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
      signal: once(() => AbortSignal.any([goneSignal(request, reply, closing), ...expired()])),
    };
  }

  /** The caller of a WebSocket by its handshake, or by the credential of its first frame; undefined where neither is there. */
  async function contextOfSocket(request: FastifyRequest, credential?: string): Promise<CallContext | undefined> {
    const caller = credential === undefined ? await authenticate.byHandshake(request.headers) : await authenticate.byCredential(credential);
    return caller && contextFor(caller, request);
  }

  await registerSockets(app, { clock: services.clock, limits });
  // After the line above: it marks upgrades, and closes the sockets of those that are refused here.
  app.addHook("onRequest", async (request, reply) => {
    admit(request, reply);
    // Refused before the upgrade, where an HTTP status can still say why. GraphQL may bring its credential in the first frame.
    if (request.headers.upgrade === undefined) return;
    const isKnown = (await authenticate.byHandshake(request.headers)) !== undefined;
    if (!isKnown && request.url.startsWith(SOCKET_PATH)) await authenticate.byHeaders(request.headers);
  });
  registerEventIngress(app);
  await registerHooks(app, { services, closing });
  await registerPush(app, { services, config });
  registerCallbacks(app, services);
  registerRoutes(app, { contextOf, limits, closing });
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
  registerReference(app);
  registerGraphiQL(app);
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

function once<T>(make: () => T): () => T {
  let made: { value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
