import type { FastifyInstance, FastifyRequest } from "fastify";
import { SignalboxError } from "../../errors.ts";
import { createJsonReader } from "../rest/body.ts";

const EVENTS_URL = "/api/v1/events";
const CONTENT_TYPES = ["application/cloudevents+json", "application/cloudevents-batch+json"];
const ATTRIBUTE = /^ce-(.+)$/;

/**
 * CloudEvents' ways of travelling over HTTP, for the operation that takes events: structured and batch content types, and the binary
 * one, whose attributes are `ce-` headers and whose body is the data. All of them reach the operation as structured events.
 */
export function registerEventIngress(app: FastifyInstance): void {
  const read = createJsonReader(app);
  app.addContentTypeParser<string>(CONTENT_TYPES, { parseAs: "string" }, (request, body, done) =>
    isEvents(request)
      ? read(request, body, done)
      : done(new SignalboxError("UNSUPPORTED_MEDIA_TYPE", "Send the body as application/json.")),
  );
  app.addHook("preValidation", async (request) => {
    // The content type decides: a structured event may carry `ce-` headers for the eyes of routers on its way.
    const isStructured = request.headers["content-type"]?.startsWith("application/cloudevents") === true;
    if (isEvents(request) && !isStructured && request.headers["ce-specversion"] !== undefined) request.body = binaryEvent(request);
  });
}

function isEvents({ routeOptions: { url }, method }: FastifyRequest): boolean {
  return url === EVENTS_URL && method === "POST";
}

function binaryEvent({ headers, body }: FastifyRequest): Record<string, unknown> {
  const attributes = Object.entries(headers).flatMap(([name, value]) => {
    const attribute = ATTRIBUTE.exec(name)?.[1];
    return attribute === undefined || attribute === "data" ? [] : [[attribute, decoded(String(value))] as const];
  });
  return { ...Object.fromEntries(attributes), ...(body !== undefined && { data: body }) };
}

/** The binding percent-encodes what headers cannot hold; text that only looks like it is taken as it is. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}
