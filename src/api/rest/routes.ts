import type { FastifyInstance, FastifyReply, FastifyRequest, HTTPMethods } from "fastify";
import { SignalboxError } from "../../errors.ts";
import { callOperation } from "../call.ts";
import { streamEvents, wantsStream } from "../live/sse.ts";
import type { LiveLimits } from "../live/outlet.ts";
import { OPERATIONS } from "../operations/index.ts";
import { events } from "../operations/execution-history.ts";
import type { CallContext, Operation } from "../operations/operation.ts";
import { parseInput } from "../parse.ts";
import { requireScope } from "../call.ts";
import { createReader } from "./request.ts";

interface RouteOptions {
  contextOf: (request: FastifyRequest, reply: FastifyReply) => Promise<CallContext>;
  limits: LiveLimits;
  closing: AbortSignal;
}

const METHODS: readonly HTTPMethods[] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

/** Every operation as a REST route, and 405 with `Allow` for the other methods of their paths. */
export function registerRoutes(app: FastifyInstance, options: RouteOptions): void {
  const methodsOf = new Map<string, HTTPMethods[]>();
  for (const operation of OPERATIONS) {
    const [method, url] = operation.route.split(" ") as [HTTPMethods, string]; // the template literal type has exactly one space
    app.route({ method, url, handler: operation === events ? eventsHandler(options) : handlerOf(operation, options) });
    methodsOf.set(url, [...(methodsOf.get(url) ?? []), method]);
  }
  for (const [url, methods] of methodsOf) refuseOthers(app, url, methods);
}

/** Answers the methods a path does not have, before their bodies are read. */
export function refuseOthers(app: FastifyInstance, url: string, methods: HTTPMethods[]): void {
  const allow = [...methods, ...(methods.includes("GET") ? ["HEAD"] : []), "OPTIONS"].join(", ");
  app.route({
    method: METHODS.filter((method) => !methods.includes(method)),
    url,
    onRequest: async (request, reply) => {
      reply.header("allow", allow);
      throw new SignalboxError("METHOD_NOT_ALLOWED", `${request.method} is not one of ${allow}.`);
    },
    handler: () => {},
  });
  app.route({ method: "OPTIONS", url, handler: async (_request, reply) => await reply.header("allow", allow).code(204).send() });
}

function handlerOf(operation: Operation, { contextOf }: RouteOptions) {
  const read = createReader(operation);
  const isList = operation.items !== undefined;
  const body = operation.input.shape["input"] === undefined ? undefined : "input";
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    const context = await contextOf(request, reply);
    const { input, handled } = await callOperation(operation, context, read(request), body);
    const output = await expanded(operation, context, handled, isList);
    const { status = operation.status, headers = {} } = operation.reply?.(output, input) ?? {};
    if (headers["etag"] !== undefined && request.method === "GET" && request.headers["if-none-match"] === headers["etag"]) {
      return await reply.code(304).headers(headers).send();
    }
    reply.code(status).headers(headers);
    return output;
  };
}

async function expanded(operation: Operation, context: CallContext, handled: unknown, isList: boolean): Promise<unknown> {
  if (!operation.expand) return handled;
  if (!isList) return (await operation.expand(context, [handled]))[0];
  const page = handled as { items: unknown[] }; // defineList's handlers answer with pages
  return { ...page, items: await operation.expand(context, page.items) };
}

function eventsHandler({ contextOf, limits, closing }: RouteOptions) {
  const asPage = handlerOf(events, { contextOf, limits, closing });
  const read = createReader(events);
  return async (request: FastifyRequest, reply: FastifyReply): Promise<unknown> => {
    if (!wantsStream(request)) return await asPage(request, reply);
    const context = await contextOf(request, reply);
    requireScope(context.principal, events.scope);
    const input = parseInput(events.input, read(request)) as { executionId: string; afterSeq?: number; beforeSeq?: number; limit?: number }; // the schema's own output
    if (input.beforeSeq !== undefined || input.limit !== undefined) {
      throw new SignalboxError("INVALID_INPUT", "A stream goes forward and has no pages: give afterSeq or Last-Event-ID only.");
    }
    return await streamEvents({ context, request, reply, executionId: input.executionId, afterSeq: input.afterSeq ?? 0, limits, closing });
  };
}
