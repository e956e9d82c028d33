import type { WebhookAttempt, WebhookDelivery, WebhookEndpoint } from "../definition/webhook.ts";
import { toSignalboxError } from "../errors.ts";
import type { HttpFetch } from "../outbound/http.ts";
import type { Clock } from "../ports/clock.ts";
import { signedHeaders, type ReadSecret } from "./signature.ts";

/** For one try, milliseconds. */
const TIMEOUT_MS = 15_000;
/** Largest answer that is looked at, and how much of it the log keeps. */
const MAX_REPLY_BYTES = 65_536;
const EXCERPT_CHARACTERS = 500;

export interface SenderOptions {
  fetch: HttpFetch;
  readSecret: ReadSecret;
  clock: Clock;
}

/** One try: what is sent, and what came of it. */
export type Send = (endpoint: WebhookEndpoint, message: Pick<WebhookDelivery, "id" | "body" | "traceparent">) => Promise<WebhookAttempt>;

/** Sends one signed request through the guard. Never rejects: what went wrong is a line of the log. */
export function createSender({ fetch, readSecret, clock }: SenderOptions): Send {
  return async ({ url, secrets }, { id, body, traceparent }) => {
    const startedAt = clock.now();
    const at = new Date(startedAt).toISOString();
    try {
      const headers = await signedHeaders({ id, body, secrets, now: startedAt }, readSecret);
      const reply = await fetch({
        method: "POST",
        url,
        headers: { ...headers, traceparent, "content-type": "application/cloudevents+json; charset=utf-8" },
        body: { text: body },
        timeoutMs: TIMEOUT_MS,
        maxBytes: MAX_REPLY_BYTES,
      });
      const text = typeof reply.body === "string" ? reply.body : JSON.stringify(reply.body);
      const response = reply.body === null ? null : text.slice(0, EXCERPT_CHARACTERS).toWellFormed();
      const error = isTaken(reply) ? null : `The receiver answered with status ${reply.status}.`;
      return { at, status: reply.status, latencyMs: clock.now() - startedAt, error, response };
    } catch (thrown) {
      const { code, message } = toSignalboxError(thrown);
      return {
        at,
        status: null,
        latencyMs: clock.now() - startedAt,
        error: `${code}: ${message}`.slice(0, EXCERPT_CHARACTERS),
        response: null,
      };
    }
  };
}

export function isTaken({ status }: Pick<WebhookAttempt, "status">): boolean {
  return status !== null && status >= 200 && status < 300;
}
