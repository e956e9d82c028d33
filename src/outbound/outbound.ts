import type { Agent, Dispatcher } from "undici";
import { ERRORS, SignalboxError } from "../errors.ts";
import { systemClock, type Clock } from "../ports/clock.ts";
import { createEgressRules, hostOf, type EgressOptions, type EgressRules } from "./egress-rules.ts";
import { outboundError } from "./failure.ts";
import type { Resolve } from "./guarded-agent.ts";
import { referencesIn, type HttpFetch, type HttpReply, type HttpRequest } from "./http.ts";
import { readBody, readBytes } from "./reply-body.ts";
import { createSecrets, type ReadSecret, type Secrets } from "./secrets.ts";
import { prepare, type Prepared } from "./prepare.ts";
import { isRedirect, nextHop } from "./redirect.ts";

const DEFAULT_TIMEOUT_MS = 30_000;
const DEFAULT_MAX_BYTES = 1_048_576;

export interface OutboundOptions extends EgressOptions {
  /** Where names are resolved; the system unless told. */
  resolve?: Resolve | undefined;
  readSecret?: ReadSecret | undefined;
  clock?: Clock | undefined;
}

/** The only way from a workflow to the outside. */
export interface Outbound extends AsyncDisposable {
  request: HttpFetch;
  readonly rules: EgressRules;
  /** For clients that bring their own HTTP: every connection it makes is guarded. */
  agent(): Promise<Agent>;
}

/** Requests with guarded addresses, bounded in time and size, with secrets that are put in at the last moment. */
export function createOutbound(options: OutboundOptions = {}): Outbound {
  const { clock = systemClock, readSecret = () => Promise.resolve(undefined) } = options;
  const rules = createEgressRules(options);
  let opening: Promise<Agent> | undefined;
  /** Loaded with the first request: undici is 110 modules, and many a process never asks anybody. */
  const agent = (): Promise<Agent> => (opening ??= openAgent(rules, options.resolve));

  async function request(asked: HttpRequest): Promise<HttpReply> {
    const { timeoutMs = DEFAULT_TIMEOUT_MS } = asked;
    const secrets = createSecrets(readSecret, asked.hidden);
    const startedAt = clock.now();
    const deadline = new AbortController();
    const cancel = clock.after(timeoutMs, () => deadline.abort(overtime(timeoutMs)));
    const signal = asked.signal ? AbortSignal.any([asked.signal, deadline.signal]) : deadline.signal;
    try {
      const reply = await untilAborted(signal, follow(asked, secrets, signal));
      return { ...reply, durationMs: clock.now() - startedAt };
    } catch (error) {
      if (signal.aborted) throw signal.reason;
      throw referencesIn(asked.url) === undefined ? error : nameless(error);
    } finally {
      cancel();
    }
  }

  async function follow(asked: HttpRequest, secrets: Secrets, signal: AbortSignal): Promise<Omit<HttpReply, "durationMs">> {
    const { maxRedirects = 0, maxBytes = DEFAULT_MAX_BYTES } = asked;
    const opened = await agent();
    let hop = await prepare(asked, secrets);
    for (let redirects = 0; ; redirects++) {
      const host = hostOf(hop.url);
      rules.checkUrl(hop.url);
      const response = await send(opened, hop, signal).catch((error: unknown) => {
        throw outboundError(error, host);
      });
      if (maxRedirects > 0 && isRedirect(response)) {
        response.body.on("error", () => {}).destroy();
        if (redirects >= maxRedirects) throw tooManyRedirects(host, maxRedirects);
        hop = nextHop(hop, response, secrets.isUsed);
        continue;
      }
      const bytes = await readBytes(response.body, { maxBytes, host }).catch((error: unknown) => {
        throw outboundError(error, host);
      });
      const headers = headersOf(response, secrets);
      return { status: response.statusCode, headers, ...readBody(bytes, headers["content-type"] ?? "", secrets.hide), redirects };
    }
  }

  return {
    request,
    rules,
    agent,
    async [Symbol.asyncDispose]() {
      // Open sockets end at once; one that is being resolved ends by its own timeout, and nobody waits for that.
      void (await opening)?.destroy();
    },
  };
}

async function openAgent(rules: EgressRules, resolve: Resolve | undefined): Promise<Agent> {
  const { createGuardedAgent } = await import("./guarded-agent.ts");
  return createGuardedAgent({ rules, resolve });
}

function send(agent: Agent, { url, method, headers, body }: Prepared, signal: AbortSignal): Promise<Dispatcher.ResponseData> {
  return agent.request({ origin: url.origin, path: url.pathname + url.search, method, headers, body: body ?? null, signal });
}

/** One value per name; cookies are for browsers, and a session in a history is a leak. */
function headersOf({ headers }: Dispatcher.ResponseData, secrets: Secrets): Record<string, string> {
  const entries = Object.entries(headers).filter(([name, value]) => name !== "set-cookie" && value !== undefined);
  return Object.fromEntries(entries.map(([name, value]) => [name, secrets.hide(Array.isArray(value) ? value.join(", ") : (value ?? ""))]));
}

function untilAborted<T>(signal: AbortSignal, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const onAbort = () => reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  // Where the signal was first, what the work ends with is nobody's concern: a resolver cannot be called off.
  work.catch(() => {});
  return Promise.race([work, promise]).finally(() => signal.removeEventListener("abort", onAbort));
}

/** An address that is a secret is not told by the failure of a request to it either. */
function nameless(error: unknown): unknown {
  if (!(error instanceof SignalboxError)) return error;
  const { host: _host, ...details } = error.details;
  const { code } = details;
  const why = typeof code === "string" ? code : "it cannot be written";
  return new SignalboxError(error.code, `${ERRORS[error.code].title}: ${why}.`, { details });
}

function overtime(timeoutMs: number): SignalboxError {
  return new SignalboxError("STEP_TIMEOUT", `The receiver did not answer within ${timeoutMs} ms.`, {
    details: { code: "TIMEOUT", timeoutMs },
  });
}

function tooManyRedirects(host: string, maxRedirects: number): SignalboxError {
  return new SignalboxError("REQUEST_REFUSED", `${host} redirects more than ${maxRedirects} times.`, {
    details: { code: "TOO_MANY_REDIRECTS", host },
  });
}
