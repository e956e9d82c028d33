import type { FastifyInstance, FastifyRequest } from "fastify";
import type { Config } from "../../config.ts";
import { readPush } from "../../events/push-message.ts";
import { isoTime, type Clock } from "../../ports/clock.ts";
import { unauthenticated } from "../credentials/caller.ts";
import type { Services } from "../operations/operation.ts";
import { refuseOthers } from "../rest/routes.ts";

const PUSH_URL = "/push/pubsub";
/** The largest message of Pub/Sub, 10 MB, in base64 with its wrapper: what is too large for us is parked, not sent for ever. */
const LARGEST_PUSH_BYTES = 15_000_000;
const NO_BODY = Buffer.alloc(0);

/** Whose tenant the pusher's token is for; throws UNAUTHENTICATED, FORBIDDEN or UNAVAILABLE. */
export type TenantOf = (request: Pick<FastifyRequest, "headers">) => Promise<string>;

/**
 * `POST /push/pubsub`: pushes of Pub/Sub and Eventarc. Answered with 204 once the message is taken or parked, both durably; what may pass
 * (503, 429) makes Pub/Sub push again, and so does a token that is refused, because its message has been seen by nobody.
 */
export async function registerPush(app: FastifyInstance, { services, config }: { services: Services; config: Config }): Promise<void> {
  const { clock, events } = services;
  const tenantOf = await createTenantOf(config, clock);
  const tenants = new WeakMap<FastifyRequest, string>();
  await app.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser<Buffer>("*", { parseAs: "buffer" }, (_request, body, done) => done(null, body));
    scope.route({
      method: "POST",
      url: PUSH_URL,
      bodyLimit: LARGEST_PUSH_BYTES,
      // Before the body is read: who shows nothing gets none of our memory.
      onRequest: async (request) => void tenants.set(request, await tenantOf(request)),
      handler: async (request, reply) => {
        const body = Buffer.isBuffer(request.body) ? request.body : NO_BODY;
        const message = await readPush({ headers: request.headers, body }, isoTime(clock));
        await events.handleMessage(tenants.get(request) ?? "", message, "push");
        return await reply.code(204).send();
      },
    });
    refuseOthers(scope, PUSH_URL, ["POST"]);
  });
}

async function createTenantOf(
  { SIGNALBOX_PUSH: identities, SIGNALBOX_AUTH, SIGNALBOX_EVENTS_TENANT }: Config,
  clock: Clock,
): Promise<TenantOf> {
  if (identities) return (await import("./pusher.ts")).byToken(identities, clock);
  // As with everything else: without credentials only where nobody but this machine comes in.
  if (SIGNALBOX_AUTH === "none") return async () => SIGNALBOX_EVENTS_TENANT;
  return async () => {
    throw unauthenticated("Nobody may push here: SIGNALBOX_PUSH names no service account.");
  };
}
