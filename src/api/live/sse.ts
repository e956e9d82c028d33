import { once } from "node:events";
import type { ServerResponse } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { z } from "zod";
import type { ExecutionEvent } from "../../definition/event.ts";
import { TERMINAL_STATUSES } from "../../definition/execution.ts";
import { SignalboxError } from "../../errors.ts";
import type { CallContext } from "../operations/operation.ts";
import { followToEnd } from "./follow.ts";
import { hasRoom, type LiveLimits } from "./outlet.ts";

const Seq = z.coerce.number().int().min(0);

interface SseOptions {
  context: CallContext;
  request: FastifyRequest;
  reply: FastifyReply;
  executionId: string;
  afterSeq: number;
  limits: LiveLimits;
  /** Aborted when the service closes. */
  closing: AbortSignal;
}

/** Whether the caller asked for a stream instead of a page. */
export function wantsStream(request: FastifyRequest): boolean {
  return request.method === "GET" && (request.headers.accept?.includes("text/event-stream") ?? false);
}

/**
 * Streams an execution's events as Server-Sent Events: `id` is the seq, `event` the type. After the last one it sends `event: end`
 * and closes. A browser that reconnects with a `Last-Event-ID` that has nothing after it gets 204, which ends its reconnecting.
 */
export async function streamEvents({ context, request, reply, executionId, afterSeq, limits, closing }: SseOptions): Promise<void> {
  const { services, principal } = context;
  const lastEventId = lastEventIdOf(request);
  const execution = await services.executor.get(principal.tenant, executionId);
  if (lastEventId !== undefined && lastEventId >= execution.lastSeq && TERMINAL_STATUSES.has(execution.status)) {
    return void (await reply.code(204).send());
  }
  reply.hijack();
  const raw = reply.raw;
  const signal = AbortSignal.any([context.signal(), closing]);
  raw.writeHead(200, {
    ...(reply.getHeaders() as Record<string, string>), // headers set by our hooks are strings
    "content-type": "text/event-stream; charset=utf-8",
    "cache-control": "no-cache, no-transform",
    "x-accel-buffering": "no",
  });
  raw.write("retry: 1000\n\n");
  const stopPings = keepAlive(context, raw, limits);
  try {
    let seq = lastEventId ?? afterSeq;
    for await (const batch of followToEnd(services.executor, principal.tenant, executionId, { afterSeq: seq, signal })) {
      raw.write(batch.map(frame).join(""));
      seq = batch.at(-1)?.seq ?? seq;
      if (!(await hasRoom(outletOf(raw), services.clock, limits, signal))) return void raw.destroy();
    }
    if (!signal.aborted) {
      const { status, lastSeq } = await services.executor.get(principal.tenant, executionId);
      raw.write(`event: end\ndata: ${JSON.stringify({ executionId, status, lastSeq })}\n\n`);
    }
  } catch (error) {
    // The head is sent: the client learns by the missing `end` and resumes with Last-Event-ID.
    request.log.warn({ err: error, executionId }, "event stream broke");
  } finally {
    stopPings();
    raw.end();
  }
}

function lastEventIdOf(request: FastifyRequest): number | undefined {
  const header = request.headers["last-event-id"];
  if (header === undefined || header === "") return undefined;
  const parsed = Seq.safeParse(header);
  if (parsed.success) return parsed.data;
  throw new SignalboxError("INVALID_INPUT", "Last-Event-ID must be the seq of an event.", {
    issues: [{ code: "INVALID_VALUE", pointer: "/last-event-id", message: "must be the seq of an event" }],
  });
}

function frame(event: ExecutionEvent): string {
  return `id: ${event.seq}\nevent: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`;
}

function keepAlive({ services: { clock } }: CallContext, raw: ServerResponse, { heartbeatMs }: LiveLimits): () => void {
  let stop = () => {};
  function ping(): void {
    raw.write(": ping\n\n");
    stop = clock.after(heartbeatMs, ping);
  }
  stop = clock.after(heartbeatMs, ping);
  return () => stop();
}

function outletOf(raw: ServerResponse) {
  return {
    bufferedBytes: () => (raw.destroyed ? 0 : raw.writableLength + (raw.socket?.writableLength ?? 0)),
    flushed: async () => {
      // Either one ends the wait; the listener of the other must not stay behind, a slow client waits often.
      const waited = new AbortController();
      const options = { signal: waited.signal };
      await Promise.race([once(raw, "drain", options), once(raw, "close", options)]).catch(() => {});
      waited.abort();
    },
  };
}
