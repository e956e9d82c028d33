import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { GraphQLError, type DocumentNode, type ExecutionResult } from "graphql";
import mercurius from "mercurius";
import { z } from "zod";
import { SignalboxError } from "../../errors.ts";
import { invalidInput, parseInput } from "../parse.ts";
import { asSignalboxError, logFailure } from "../rest/errors.ts";
import type { CallContext } from "../operations/operation.ts";
import { formatted, refused, toGraphQLError } from "./errors.ts";
import { checkDocument, checkQueryBytes, GRAPHQL_LIMITS } from "./limits.ts";
import { createGraphQLSchema, type GraphQLContext } from "./schema.ts";
import type { WebsocketHandler } from "@fastify/websocket";

export const GRAPHQL_PATH = "/graphql";

const GraphQLRequest = z.strictObject({
  query: z.string().min(1),
  variables: z.record(z.string(), z.unknown()).nullish(),
  operationName: z.string().max(255).nullish(),
  extensions: z.record(z.string(), z.unknown()).nullish(),
});

interface GraphQLOptions {
  contextOf: (request: FastifyRequest, reply: FastifyReply) => Promise<CallContext>;
  wsHandler: WebsocketHandler;
}

/**
 * GraphQL over HTTP. Mercurius parses, validates, caches documents and runs them; the route is ours, so that the size is checked
 * before parsing and every refusal has a code. What GraphQL itself refuses is HTTP 200, as its clients expect.
 */
export async function registerGraphQL(app: FastifyInstance, { contextOf, wsHandler }: GraphQLOptions): Promise<void> {
  await app.register(mercurius, {
    schema: createGraphQLSchema(),
    routes: false,
    graphql: { parseOptions: { maxTokens: GRAPHQL_LIMITS.tokens } },
    // Both kinds of errors are formatted here and in `run`, with a code each; mercurius would log every one of them at info.
    errorFormatter: ({ data, errors }) => ({
      statusCode: 200,
      response: { data: data ?? null, errors: formatted(errors ?? []) as GraphQLError[] },
    }), // sent as they are
  });
  app.graphql.addHook("preValidation", async (_schema, document: DocumentNode) => checkDocument(document));

  app.post(GRAPHQL_PATH, { errorHandler }, async (request, reply) => {
    const { query, variables, operationName } = parseInput(GraphQLRequest, request.body);
    return await run({ query, variables, operationName }, request, reply);
  });

  app.route({
    method: "GET",
    url: GRAPHQL_PATH,
    exposeHeadRoute: false,
    errorHandler,
    wsHandler,
    handler: async (request, reply) => {
      const { query, variables, operationName } = request.query as Record<string, string | undefined>; // Fastify's parser gives texts; repeated names fail below
      if (query === undefined && request.headers.accept?.includes("text/html")) return await reply.redirect("/graphiql");
      const input = parseInput(GraphQLRequest, {
        query,
        operationName,
        ...(variables !== undefined && { variables: parseVariables(variables) }),
      });
      return await run(input, request, reply);
    },
  });

  async function run(
    { query, variables, operationName }: z.output<typeof GraphQLRequest>,
    request: FastifyRequest,
    reply: FastifyReply,
  ): Promise<ExecutionResult> {
    checkQueryBytes(query);
    const context: GraphQLContext = {
      call: await contextOf(request, reply),
      loaders: new Map(),
      onInternalError: (error) => request.log.error({ err: error.cause ?? error, requestId: request.id }, "resolver failed"),
    };
    try {
      // `{}`: mercurius checks variables only where there are any, and a missing required one must be refused.
      return await reply.graphql(query, { ...context }, variables ?? {}, operationName ?? undefined);
    } catch (error) {
      return { data: null, errors: refusals(error) as GraphQLError[] }; // sent as they are
    }
  }
}

function refusals(error: unknown) {
  const { errors, code, statusCode } = error as { errors?: unknown; code?: unknown; statusCode?: unknown }; // anything may be thrown
  if (statusCode === 405) return refused([toGraphQLError(new SignalboxError("METHOD_NOT_ALLOWED", "Send mutations by POST."))]);
  if (code === "MER_ERR_GQL_VALIDATION" && Array.isArray(errors)) {
    return refused(
      errors.map((item: unknown) =>
        item instanceof GraphQLError ? item : new GraphQLError(item instanceof Error ? item.message : "The query cannot be read."),
      ),
    );
  }
  return refused([toGraphQLError(asSignalboxError(error))]);
}

/** Refusals of the transport: a body that is not JSON, too large or no GraphQL request has its HTTP status and GraphQL's shape. */
function errorHandler(error: Error, request: FastifyRequest, reply: FastifyReply): void {
  const known = asSignalboxError(error);
  if (known.status >= 500) logFailure(known, request);
  void reply.code(known.status).send({ data: null, errors: [toGraphQLError(known).toJSON()] });
}

function parseVariables(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw invalidInput([{ code: "WRONG_TYPE", pointer: "/variables", message: "must be a JSON object" }]);
  }
}
