import { setTimeout as pause } from "node:timers/promises";
import type { ExecutionEvent } from "../../../src/definition/event.ts";

/** Before a follower comes back; doubled with each try in a row that brings nothing. */
const AGAIN_MS = 30;
const MOST_MS = 1_000;

/** What somebody saw who watched an execution over Server-Sent Events and came back after each end of the connection. */
export interface Watched {
  events: ExecutionEvent[];
  /** Sequence numbers that did not follow the one before. */
  jumps: string[];
  connections: number;
  isOver: boolean;
}

/** Watches until the stream says that the execution is over, or the trial ends; `url` is asked for each connection. */
export function watch(
  url: () => string,
  signal: AbortSignal,
  onEvent: (event: ExecutionEvent) => void,
): { seen: Watched; done: Promise<void> } {
  const seen: Watched = { events: [], jumps: [], connections: 0, isOver: false };

  function take(event: ExecutionEvent): void {
    const last = seen.events.at(-1)?.seq ?? 0;
    if (event.seq !== last + 1) seen.jumps.push(`${last} -> ${event.seq}`);
    seen.events.push(event);
    onEvent(event);
  }

  async function connect(): Promise<void> {
    const last = seen.events.at(-1)?.seq;
    const response = await fetch(url(), {
      headers: { accept: "text/event-stream", ...(last === undefined ? {} : { "last-event-id": String(last) }) },
      signal,
    });
    if (response.status === 204) seen.isOver = true;
    if (response.status !== 200 || !response.body) return void (await response.arrayBuffer());
    seen.connections += 1;
    for await (const frame of framesOf(response.body)) {
      const kind = /^event: (.+)$/m.exec(frame)?.[1];
      const data = /^data: (.+)$/m.exec(frame)?.[1];
      if (kind === "end") seen.isOver = true;
      else if (kind !== undefined && data !== undefined) take(JSON.parse(data) as ExecutionEvent);
    }
  }

  async function run(): Promise<void> {
    for (let inVain = 0; !seen.isOver && !signal.aborted; inVain += 1) {
      const before = seen.events.length;
      await connect().catch(() => {});
      if (seen.events.length > before) inVain = 0;
      if (!seen.isOver) await pause(Math.min(AGAIN_MS * 2 ** inVain, MOST_MS));
    }
  }

  return { seen, done: run() };
}

async function* framesOf(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  let text = "";
  for await (const piece of body.pipeThrough(new TextDecoderStream())) {
    text += piece;
    const frames = text.split("\n\n");
    // A frame that was cut by the end of its connection is none.
    text = frames.pop() ?? "";
    yield* frames;
  }
}
