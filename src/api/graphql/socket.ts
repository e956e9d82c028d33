import type { FastifyRequest } from "fastify";
import type { WebSocket, WebsocketHandler } from "@fastify/websocket";
import { getOperationAST, GraphQLError, parse, validate, type ExecutionArgs, type FormattedExecutionResult } from "graphql";
import { makeServer, type SubscribePayload } from "graphql-ws";
import { SignalboxError, toSignalboxError } from "../../errors.ts";
import type { Clock } from "../../ports/clock.ts";
import { bearerOf } from "../credentials/bearer.ts";
import { closeOnExpiry } from "../credentials/expiry.ts";
import { hasRoom, socketOutlet, type LiveLimits } from "../live/outlet.ts";
import type { CallContext } from "../operations/operation.ts";
import { formatted, refused, toGraphQLError } from "./errors.ts";
import { checkDocument, checkQueryBytes, GRAPHQL_LIMITS } from "./limits.ts";
import { createGraphQLSchema, type GraphQLContext } from "./schema.ts";
import { CLOSE } from "../live/frames.ts";

const INIT_TIMEOUT_MS = 10_000;

interface SocketExtra {
  request: FastifyRequest;
  socket: WebSocket;
  /** Undefined until the caller is known: by the handshake, else by `connection_init`. */
  call: CallContext | undefined;
  /** Subscriptions open on the socket. */
  count: number;
}

interface GraphQLSocketOptions {
  contextOfSocket(request: FastifyRequest, credential?: string): Promise<CallContext | undefined>;
  clock: Clock;
  limits: LiveLimits;
}

/** GraphQL over WebSocket, sub-protocol graphql-transport-ws: subscriptions, and queries and mutations too. */
export function createGraphQLSocket({ contextOfSocket, clock, limits }: GraphQLSocketOptions): WebsocketHandler {
  const schema = createGraphQLSchema();

  const server = makeServer<Record<string, unknown>, SocketExtra>({
    schema,
    connectionInitWaitTimeout: INIT_TIMEOUT_MS,
    onConnect: ({ connectionParams, extra }) => introduce(extra, connectionParams),
    onSubscribe: ({ extra }, _id, payload) => {
      try {
        return prepare(payload, extra);
      } catch (error) {
        return [
          error instanceof GraphQLError
            ? error
            : toGraphQLError(error instanceof SignalboxError ? error : new SignalboxError("INVALID_INPUT", "The query cannot be read.")),
        ];
      }
    },
    onError: (_context, _id, _payload, errors) => refused(errors),
    onNext: (_context, _id, _payload, _args, result) => {
      if (!result.errors) return undefined;
      // Without `data` it never ran: what is wrong is the request.
      const errors = "data" in result ? formatted(result.errors) : refused(result.errors);
      return { ...result, errors } as FormattedExecutionResult; // which is what formatting makes of a result
    },
  });

  /** False closes the socket with 4403, which clients take as: come back with other credentials. */
  async function introduce(extra: SocketExtra, parameters: Record<string, unknown> = {}): Promise<boolean> {
    if (extra.call) return true;
    const credential = bearerOf(parameters["authorization"] ?? parameters["Authorization"]);
    try {
      extra.call = credential === undefined ? undefined : await contextOfSocket(extra.request, credential);
    } catch (error) {
      extra.request.log.info({ code: toSignalboxError(error).code }, "GraphQL socket refused");
    }
    if (extra.call) closeOnExpiry(extra.socket, extra.call.expiresAt, clock);
    return extra.call !== undefined;
  }

  function prepare({ query, variables, operationName }: SubscribePayload, extra: SocketExtra): ExecutionArgs | readonly GraphQLError[] {
    if (!extra.call) throw new SignalboxError("UNAUTHENTICATED");
    checkQueryBytes(query);
    const document = parse(query, { maxTokens: GRAPHQL_LIMITS.tokens });
    checkDocument(document);
    const problems = validate(schema, document);
    if (problems.length > 0) return problems;
    if (!getOperationAST(document, operationName)) return [new GraphQLError("The document holds no such operation.")];
    const context: GraphQLContext = {
      call: extra.call,
      loaders: new Map(),
      onInternalError: (error) => extra.request.log.error({ err: error.cause ?? error }, "resolver failed"),
      enterSubscription() {
        if (extra.count >= limits.subscriptionsPerSocket) {
          throw new SignalboxError("LIMIT_EXCEEDED", `A socket takes ${limits.subscriptionsPerSocket} subscriptions.`);
        }
        extra.count += 1;
        return () => void (extra.count -= 1);
      },
    };
    return { schema, document, contextValue: context, variableValues: variables, operationName };
  }

  return async (socket, request) => {
    // Frames may come before the caller is known; the handshake waits for them to be read.
    socket.pause();
    const extra: SocketExtra = { request, socket, call: await contextOfSocket(request), count: 0 };
    if (extra.call) closeOnExpiry(socket, extra.call.expiresAt, clock);
    const closed = server.opened(
      {
        protocol: socket.protocol,
        send: (text) => (extra.call ? sendPaced(socket, text, extra.call, limits) : socket.send(text)),
        close: (code, reason) => socket.close(code, reason),
        onMessage: (take) => {
          socket.on("message", (data: Buffer) => {
            take(data.toString()).catch((error: unknown) => {
              request.log.error({ err: error }, "GraphQL socket failed");
              socket.close(1011, "internal error");
            });
          });
        },
      },
      extra,
    );
    socket.once("close", (code, reason) => void closed(code, String(reason)));
    socket.resume();
  };
}

/** Sends, and lets the subscription that sends wait while the client is behind; one that stopped reading is closed. */
async function sendPaced(socket: WebSocket, text: string, { services, signal }: CallContext, limits: LiveLimits): Promise<void> {
  if (socket.readyState !== socket.OPEN) return;
  socket.send(text);
  if (await hasRoom(socketOutlet(socket), services.clock, limits, signal())) return;
  socket.close(CLOSE.slowConsumer, "slow consumer, resume after the last seq seen");
  services.clock.after(limits.stallMs, () => socket.terminate());
}
