import type { FastifyInstance } from "fastify";
import { JsonValue } from "../../definition/json.ts";
import type { Services } from "../operations/operation.ts";
import { refuseOthers } from "../rest/routes.ts";

const CALLBACKS_URL = "/callbacks/:token";
/** It travels in the execution's record until the step takes it. */
const MAX_BYTES = 262_144;

/** `POST /callbacks/{token}`: what a webhook step waits for. The token in the address is the credential, and says whose it is. */
export function registerCallbacks(app: FastifyInstance, services: Services): void {
  app.route({
    method: "POST",
    url: CALLBACKS_URL,
    bodyLimit: MAX_BYTES,
    handler: async (request, reply) => {
      const { token } = request.params as { token: string }; // what the router found in the address
      const { executionId, isRepeat } = await services.executor.callback(token, JsonValue.parse(request.body ?? null));
      return await reply.code(202).send({ executionId, duplicate: isRepeat });
    },
  });
  refuseOthers(app, CALLBACKS_URL, ["POST"]);
}
