import type { FastifyRequest } from "fastify";
import type { WebSocket } from "@fastify/websocket";
import type { ExecutionEvent } from "../../definition/event.ts";
import { mayDo } from "../../definition/access.ts";
import { SignalboxError, toSignalboxError } from "../../errors.ts";
import type { CallContext } from "../operations/operation.ts";
import { toIssues } from "../parse.ts";
import { problemOf } from "../problem.ts";
import { CLOSE, ClientFrame } from "./frames.ts";
import { followToEnd } from "./follow.ts";
import { hasRoom, socketOutlet, type LiveLimits } from "./outlet.ts";

/** Bytes of one `events` frame, roughly: 200 events with large data are sent in several. */
const FRAME_BYTES = 262_144;

interface SocketOptions {
  socket: WebSocket;
  request: FastifyRequest;
  context: CallContext;
  limits: LiveLimits;
}

/** Serves one client of `/api/v1/ws`: any number of `execution:<id>` topics on one socket, each resumable by seq. */
export function serveSocket({ socket, request, context, limits }: SocketOptions): void {
  const topics = new Map<string, AbortController>();
  const outlet = socketOutlet(socket);

  socket.on("message", (data: Buffer, isBinary) => {
    const frame = isBinary ? new SignalboxError("UNSUPPORTED_MEDIA_TYPE", "Frames are text.") : parseFrame(data.toString());
    if (frame instanceof SignalboxError) return refuse(frame);
    switch (frame.type) {
      case "subscribe":
        return subscribe(frame);
      case "unsubscribe":
        topics.get(frame.topic)?.abort();
        topics.delete(frame.topic);
        return send({ type: "unsubscribed", id: frame.id, topic: frame.topic });
      case "ping":
        return send({ type: "pong", id: frame.id });
      default:
        return frame satisfies never;
    }
  });
  socket.on("close", () => {
    for (const topic of topics.values()) topic.abort();
    topics.clear();
  });

  function subscribe({ id, topic, afterSeq }: Extract<ClientFrame, { type: "subscribe" }>): void {
    if (!mayDo(context.principal, "executions:read")) return refuse(new SignalboxError("FORBIDDEN"), { id, topic });
    if (topics.has(topic)) return refuse(new SignalboxError("CONFLICT", `This socket has the topic "${topic}" already.`), { id, topic });
    if (topics.size >= limits.subscriptionsPerSocket) {
      return refuse(new SignalboxError("LIMIT_EXCEEDED", `A socket takes ${limits.subscriptionsPerSocket} topics.`), { id, topic });
    }
    const controller = new AbortController();
    topics.set(topic, controller);
    void pump({ id, topic, afterSeq, signal: controller.signal })
      .catch((error: unknown) => refuse(toSignalboxError(error), { id, topic }))
      .finally(() => {
        if (topics.get(topic) === controller) topics.delete(topic);
      });
  }

  async function pump({
    id,
    topic,
    afterSeq,
    signal,
  }: {
    id: string | undefined;
    topic: string;
    afterSeq: number;
    signal: AbortSignal;
  }): Promise<void> {
    const { services, principal } = context;
    const executionId = topic.slice("execution:".length);
    const { status, lastSeq } = await services.executor.get(principal.tenant, executionId);
    if (signal.aborted) return;
    send({ type: "subscribed", id, topic, status, lastSeq });
    for await (const batch of followToEnd(services.executor, principal.tenant, executionId, { afterSeq, signal })) {
      for (const { text, seq } of frames(topic, batch)) {
        if (signal.aborted) return;
        socket.send(text);
        if (await hasRoom(outlet, services.clock, limits, signal)) continue;
        socket.close(CLOSE.slowConsumer, `slow consumer, resume ${topic.slice(0, 70)} afterSeq ${seq}`);
        // A client that does not read will not answer the closing handshake either.
        services.clock.after(limits.stallMs, () => socket.terminate());
        return;
      }
    }
    if (signal.aborted) return;
    const end = await services.executor.get(principal.tenant, executionId);
    send({ type: "end", id, topic, status: end.status, lastSeq: end.lastSeq });
  }

  function send(frame: Record<string, unknown>): void {
    if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(frame));
  }

  function refuse(error: SignalboxError, about: { id?: string | undefined; topic?: string } = {}): void {
    if (error.code === "INTERNAL") request.log.error({ err: error.cause ?? error }, "subscription failed");
    send({ type: "error", ...about, error: problemOf(error, request.id) });
  }
}

function parseFrame(text: string): ClientFrame | SignalboxError {
  let raw: unknown;
  try {
    raw = JSON.parse(text);
  } catch {
    return new SignalboxError("MALFORMED_JSON", "The frame is not JSON.");
  }
  const parsed = ClientFrame.safeParse(raw);
  if (parsed.success) return parsed.data;
  return new SignalboxError("INVALID_INPUT", "The frame is not one of subscribe, unsubscribe and ping.", {
    issues: toIssues(parsed.error),
  });
}

/** `events` frames of a batch, each about `FRAME_BYTES` at most, with the seq of its last event. */
function* frames(topic: string, batch: ExecutionEvent[]): Generator<{ text: string; seq: number }> {
  const head = `{"type":"events","topic":${JSON.stringify(topic)},"events":[`;
  let parts: string[] = [];
  let size = 0;
  for (const [index, event] of batch.entries()) {
    const text = JSON.stringify(event);
    parts.push(text);
    size += text.length;
    if (size < FRAME_BYTES && index < batch.length - 1) continue;
    yield { text: `${head}${parts.join(",")}]}`, seq: event.seq };
    parts = [];
    size = 0;
  }
}
