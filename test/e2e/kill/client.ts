import { setTimeout as pause } from "node:timers/promises";
import type { JsonObject } from "../../../src/definition/json.ts";

/** Between tries: doubled each time, as a client asks that is not to keep an overloaded service down. */
const AGAIN_MS = 25;
const MOST_MS = 4_000;
const GONE_MS = 200;
const REQUEST_MS = 5_000;

/** An answer of the service, whatever its status. */
export interface Answer {
  status: number;
  body: JsonObject;
}

/** A client that takes a dead service for a reason to ask again. */
export interface Client {
  /** Where the next request should go. */
  baseUrl(): string;
  /** One try. Rejects when the service is gone, before or while it answers. */
  once(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer>;
  /** Until there is an answer below 500; `tries` counts those that had none. */
  insist(method: string, path: string, body?: unknown, headers?: Record<string, string>): Promise<Answer & { tries: number }>;
  /** All items of a list, page by page. */
  all(path: string): Promise<JsonObject[]>;
}

/** Requests end with `signal`, which is the end of the trial; each asks `baseUrl` anew where to go. */
export function createClient(baseUrl: () => string, signal: AbortSignal): Client {
  async function once(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<Answer> {
    const response = await fetch(`${baseUrl()}${path}`, {
      method,
      headers: { ...(body === undefined ? {} : { "content-type": "application/json" }), ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      signal: AbortSignal.any([signal, AbortSignal.timeout(REQUEST_MS)]),
    });
    return { status: response.status, body: (await response.json()) as JsonObject };
  }

  async function insist(...request: Parameters<Client["once"]>): Promise<Answer & { tries: number }> {
    for (let tries = 1; ; tries++) {
      signal.throwIfAborted();
      const answer = await once(...request).catch(() => undefined);
      if (answer && answer.status < 500) return { ...answer, tries };
      // A process that is gone costs nobody anything, one that says it is overloaded does.
      const most = answer ? MOST_MS : GONE_MS;
      await pause(Math.min(AGAIN_MS * 2 ** (tries - 1), most) * (0.5 + Math.random() / 2));
    }
  }

  return {
    baseUrl,
    once,
    insist,
    async all(path) {
      const items: JsonObject[] = [];
      for (let token: unknown = ""; token !== undefined;) {
        const query = token === "" ? "" : `&pageToken=${encodeURIComponent(String(token))}`;
        const { status, body } = await insist("GET", `${path}${path.includes("?") ? "&" : "?"}pageSize=100${query}`);
        if (status !== 200) throw new Error(`GET ${path} answered ${status}: ${JSON.stringify(body)}`);
        items.push(...(body["items"] as JsonObject[])); // every list answers with `items`
        token = body["nextPageToken"];
      }
      return items;
    },
  };
}
