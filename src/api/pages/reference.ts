import { readFile } from "node:fs/promises";
import Fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { ERRORS, notFound } from "../../errors.ts";
import { createOpenApi } from "../openapi.ts";

const ERROR_PAGES = new URL("../../../docs/errors/", import.meta.url);

/** Everything a page may load comes from this service: the reference works offline, and a mistake that would need a CDN shows at once. */
export const OFFLINE_POLICY =
  "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; font-src 'self' data:; worker-src 'self' blob:; connect-src 'self' ws: wss:";

/** `/openapi.json`, the reference page at `/docs`, and the page behind every problem's `type`. */
export function registerReference(app: FastifyInstance): void {
  // Made when somebody looks: at every start they would cost 25 MB and 200 ms.
  let document: string | undefined;
  app.get("/openapi.json", async (_request, reply) => {
    document ??= JSON.stringify(createOpenApi());
    return await reply.type("application/json; charset=utf-8").send(document);
  });

  let pages: Promise<FastifyInstance> | undefined;
  const show = async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const reference = await (pages ??= referencePages());
    reply.hijack();
    reference.routing(request.raw, reply.raw);
  };
  app.get("/docs", show);
  app.get("/docs/*", show);

  app.get("/errors/:code", async (request, reply) => {
    const { code } = request.params as { code: string }; // the route's own parameter
    const page = Object.hasOwn(ERRORS, code)
      ? await readFile(new URL(`${code}.md`, ERROR_PAGES), "utf8").catch(() => undefined)
      : undefined;
    if (page === undefined) throw notFound("error code", code);
    return await reply.type("text/markdown; charset=utf-8").send(page);
  });
}

/** Scalar's page and script as an application of its own, which takes over the requests under `/docs`. */
async function referencePages(): Promise<FastifyInstance> {
  const { default: scalar } = await import("@scalar/fastify-api-reference");
  const pages = Fastify();
  pages.addHook("onSend", async (_request, reply) => void reply.header("content-security-policy", OFFLINE_POLICY));
  await pages.register(scalar, {
    routePrefix: "/docs",
    configuration: {
      url: "/openapi.json",
      pageTitle: "Signalbox API",
      withDefaultFonts: false,
      // What would lead to services of others.
      telemetry: false,
      hideClientButton: true,
      showDeveloperTools: "never",
      agent: { disabled: true },
      mcp: { disabled: true },
    },
  });
  await pages.ready();
  return pages;
}
