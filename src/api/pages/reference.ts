import { readFile } from "node:fs/promises";
import scalar from "@scalar/fastify-api-reference";
import type { FastifyInstance } from "fastify";
import { ERRORS } from "../../errors.ts";
import { notFound } from "../../errors.ts";
import { createOpenApi } from "../openapi.ts";

const ERROR_PAGES = new URL("../../../docs/errors/", import.meta.url);

/** Everything a page may load comes from this service: the reference works offline, and a mistake that would need a CDN shows at once. */
export const OFFLINE_POLICY =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self' ws: wss:";

/** `/openapi.json`, the reference page at `/docs`, and the page behind every problem's `type`. */
export async function registerReference(app: FastifyInstance): Promise<void> {
  const document = JSON.stringify(createOpenApi());
  app.get("/openapi.json", async (_request, reply) => await reply.type("application/json; charset=utf-8").send(document));

  await app.register(async (scope) => {
    scope.addHook("onSend", async (_request, reply) => void reply.header("content-security-policy", OFFLINE_POLICY));
    await scope.register(scalar, {
      routePrefix: "/docs",
      configuration: {
        url: "/openapi.json",
        pageTitle: "Signalbox API",
        withDefaultFonts: false,
        telemetry: false,
        hideClientButton: true,
      },
    });
  });

  app.get("/errors/:code", async (request, reply) => {
    const { code } = request.params as { code: string }; // the route's own parameter
    const page = Object.hasOwn(ERRORS, code)
      ? await readFile(new URL(`${code}.md`, ERROR_PAGES), "utf8").catch(() => undefined)
      : undefined;
    if (page === undefined) throw notFound("error code", code);
    return await reply.type("text/markdown; charset=utf-8").send(page);
  });
}
