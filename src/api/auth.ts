import type { IncomingHttpHeaders } from "node:http";
import { LOCAL_PRINCIPAL, type Principal } from "../definition/access.ts";
import type { Config } from "../config.ts";

/** Who sends these headers; UNAUTHENTICATED where they do not say so credibly. */
export type Authenticate = (headers: IncomingHttpHeaders) => Promise<Principal> | Principal;

/** The way of telling callers apart that the configuration asks for. The tenant comes from here and from nowhere else. */
export function createAuthenticate({ SIGNALBOX_AUTH }: Config): Authenticate {
  switch (SIGNALBOX_AUTH) {
    case "none":
      return () => LOCAL_PRINCIPAL;
    default:
      return SIGNALBOX_AUTH satisfies never;
  }
}
