import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { TERMINAL_STATUSES } from "../../definition/execution.ts";
import type { Json } from "../../definition/json.ts";
import { SignalboxError, type ErrorCode } from "../../errors.ts";
import type { TriggerOutcome } from "../../definition/received-event.ts";
import type { Services } from "../operations/operation.ts";
import { createJsonReader, type ReadJson } from "../rest/body.ts";
import { refuseOthers } from "../rest/routes.ts";

const HOOKS_URL = "/hooks/:tenant/*";
/** How long `respond: wait` waits for the execution's end, milliseconds; senders of webhooks rarely wait longer themselves. */
const WAIT_MS = 30_000;
const NO_BODY = Buffer.alloc(0);

/**
 * `POST /hooks/{tenant}/{path}`: requests to webhook triggers. The one place where the tenant comes from the address: the trigger's
 * own secret says who may send. The body is kept as it came, because that is what is signed, and read only when it is let in.
 */
export async function registerHooks(
  app: FastifyInstance,
  { services, closing }: { services: Services; closing: AbortSignal },
): Promise<void> {
  const readJson = createJsonReader(app);
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser<Buffer>("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    scope.route({
      method: "POST",
      url: HOOKS_URL,
      handler: async (request, reply) => {
        const { tenant, "*": path } = request.params as { tenant: string; "*": string }; // what the router found in the address
        const body = Buffer.isBuffer(request.body) ? request.body : NO_BODY;
        const { outcome, respond } = await services.events.ingest.receive(tenant, path, {
          headers: request.headers,
          body,
          readBody: () => bodyOf(request, body, readJson),
        });
        refuseFailed(outcome);
        if (respond === "ack" || outcome.executionId === null) return await reply.code(202).send(outcome);
        return await sendEnd({ services, tenant, executionId: outcome.executionId, closing, reply });
      },
    });
    refuseOthers(scope, HOOKS_URL, ["POST"]);
  });
}

async function bodyOf(request: FastifyRequest, body: Buffer, readJson: ReadJson): Promise<Json> {
  if (body.length === 0) return null;
  if (!/^application\/(?:[\w.+-]+\+)?json\b/i.test(request.headers["content-type"] ?? "")) {
    throw new SignalboxError("UNSUPPORTED_MEDIA_TYPE", "Send the body as JSON.");
  }
  return await new Promise((resolve, reject) => {
    readJson(request, body.toString("utf8"), (error, value) => (error ? reject(error) : resolve(value as Json))); // the parser gives JSON
  });
}

/** What the trigger could not take is the sender's to know: the outcome as the error it is. */
function refuseFailed({ status, code, reason }: TriggerOutcome): void {
  if (status === "REFUSED") throw new SignalboxError((code ?? "INTERNAL") as ErrorCode, reason); // outcomes carry codes of the table
}

async function sendEnd(options: { services: Services; tenant: string; executionId: string; closing: AbortSignal; reply: FastifyReply }) {
  const { services, tenant, executionId, closing, reply } = options;
  const gone = new AbortController();
  reply.raw.once("close", () => gone.abort());
  const signal = AbortSignal.any([gone.signal, closing]);
  const { status, output } = await services.executor.waitForEnd(tenant, executionId, { timeoutMs: WAIT_MS, signal });
  return await reply.code(TERMINAL_STATUSES.has(status) ? 200 : 202).send({ executionId, status, output });
}
