import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { parseTraceparent } from "../../definition/trace-context.ts";
import { SignalboxError, toSignalboxError } from "../../errors.ts";
import { problemOf } from "../problem.ts";

/** Writes any error as `application/problem+json`. */
export function sendProblem(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const known = asSignalboxError(error);
  if (known.status >= 500) logFailure(known, request);
  if (known.code === "UNAUTHENTICATED") reply.header("www-authenticate", 'Bearer realm="signalbox"');
  if (known.code === "UNAVAILABLE" || known.code === "LIMIT_EXCEEDED") reply.header("retry-after", "1");
  return reply
    .code(known.status)
    .type("application/problem+json; charset=utf-8")
    .send(JSON.stringify(problemOf(known, request.id)));
}

/** With the caller's trace, where there is one: a line leads to what the caller saw. */
export function logFailure(error: SignalboxError, request: FastifyRequest): void {
  const { traceId, spanId } = parseTraceparent(request.headers.traceparent) ?? {};
  const trace = traceId === undefined ? {} : { traceId, spanId };
  request.log.error({ err: error.cause ?? error, code: error.code, requestId: request.id, ...trace }, "request failed");
}

/** The framework's own refusals as rows of the error table. */
export function asSignalboxError(error: unknown): SignalboxError {
  if (error instanceof SignalboxError) return error;
  const { code = "", statusCode, message } = error as Partial<FastifyError>; // anything may be thrown; each field is looked at before use
  switch (code) {
    case "FST_ERR_CTP_INVALID_MEDIA_TYPE":
      return new SignalboxError("UNSUPPORTED_MEDIA_TYPE", "Send the body as application/json.");
    case "FST_ERR_CTP_BODY_TOO_LARGE":
      return new SignalboxError("TOO_LARGE", "The body is larger than SIGNALBOX_BODY_LIMIT.");
    case "FST_ERR_CTP_INVALID_CONTENT_LENGTH":
    case "FST_ERR_CTP_INVALID_JSON_BODY":
    case "FST_ERR_CTP_EMPTY_JSON_BODY":
      return new SignalboxError("MALFORMED_JSON");
    case "FST_ERR_BAD_URL":
    case "FST_ERR_ASYNC_CONSTRAINT":
      return new SignalboxError("INVALID_INPUT", "The address is malformed.");
    default:
      break;
  }
  if (statusCode === 400 && typeof message === "string")
    return new SignalboxError("INVALID_INPUT", "The request is malformed.", { cause: error });
  return toSignalboxError(error);
}
