import { SignalboxError } from "../errors.ts";
import { hostOf } from "./egress-rules.ts";
import { outboundError } from "./failure.ts";
import type { Outbound } from "./outbound.ts";

const MAX_BYTES = 4 * 1_048_576;

/** The web's `fetch` behind the guard, for clients that bring their own protocol: no redirects, bodies bounded. */
export function createGuardedFetch({ agent, rules }: Pick<Outbound, "agent" | "rules">, { maxBytes = MAX_BYTES } = {}): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    rules.checkUrl(url);
    const { fetch: undiciFetch } = await import("undici");
    // The same shapes under two names: undici's own types and those of the web, which Node takes from another copy of it.
    const options = { ...init, dispatcher: await agent(), redirect: "manual" } as unknown as Parameters<typeof undiciFetch>[1];
    const response = await undiciFetch(url, options).catch((error: unknown) => {
      throw init?.signal?.aborted ? init.signal.reason : outboundError(error, hostOf(url));
    });
    const body = response.body?.pipeThrough(limit(maxBytes, hostOf(url))) ?? null;
    const { status, statusText, headers } = response;
    return new Response(body as ReadableStream | null, { status, statusText, headers: [...headers] });
  };
}

function limit(maxBytes: number, host: string): TransformStream<Uint8Array, Uint8Array> {
  let bytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bytes += chunk.byteLength;
      if (bytes <= maxBytes) controller.enqueue(chunk);
      else
        controller.error(
          new SignalboxError("TOO_LARGE", `${host} answered with more than ${maxBytes} bytes.`, {
            details: { code: "TOO_LARGE", host, limit: maxBytes },
          }),
        );
    },
  });
}
