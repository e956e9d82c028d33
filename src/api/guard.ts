import type { FastifyRequest } from "fastify";
import type { Config } from "../config.ts";
import { SignalboxError } from "../errors.ts";

const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/i;
const SAFE_METHODS = new Set(["GET", "HEAD", "OPTIONS"]);
/** Asked by orchestrators under whatever address they reach the process by; they tell nothing worth stealing. */
const PROBES = new Set(["/livez", "/readyz", "/healthz"]);

/**
 * Keeps other sites out of a service that asks for no credentials. A page that rebinds its own name to 127.0.0.1 is told by its
 * Host; a page that posts or opens a WebSocket across origins is told by its Origin (browsers always send it then).
 */
export function createGuard({ SIGNALBOX_AUTH, HOST }: Config): (request: FastifyRequest) => void {
  return (request) => {
    if (SIGNALBOX_AUTH === "none" && !PROBES.has(request.url)) {
      const name = hostName(request.headers.host);
      if (!LOOPBACK.test(name) && name !== HOST.toLowerCase()) {
        throw new SignalboxError("FORBIDDEN", "Without authentication the service answers to loopback names only.", {
          details: { host: name },
        });
      }
    }
    const { origin } = request.headers;
    const isUnsafe = !SAFE_METHODS.has(request.method) || request.headers.upgrade !== undefined;
    if (origin !== undefined && isUnsafe && !isSameOrigin(origin, request.headers.host)) {
      throw new SignalboxError("FORBIDDEN", "Pages of other origins may not do this.", { details: { origin } });
    }
  };
}

function hostName(host: string | undefined): string {
  return (host ?? "").toLowerCase().replace(/:\d+$/, "");
}

function isSameOrigin(origin: string, host: string | undefined): boolean {
  return URL.canParse(origin) && new URL(origin).host === host?.toLowerCase();
}
