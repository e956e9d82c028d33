import { SignalboxError } from "../errors.ts";
import { modelError, networkError } from "./failure.ts";

/** Largest answer that is parsed, bytes. A routing answer is under 2 KiB; 5 MB of rationale took the parser 0.3-1.1 s. */
export const MAX_ANSWER_BYTES = 256 * 1_024;
/** Framing around a streamed answer is about 250 bytes for 4 characters, so 256 KiB of text need this many. */
const MAX_STREAM_BYTES = 64 * MAX_ANSWER_BYTES;

/**
 * `fetch` for endpoints that may lie: caps the body before anybody parses it, refuses what is not JSON or an event stream, and tells
 * a broken connection apart from a broken answer. An endpoint that ignores `stream: true` is read as a stream of one piece.
 */
export function createEndpointFetch(model: string): typeof fetch {
  return async (input, init) => {
    const response = await reach(model, init?.signal, () => fetch(input, init));
    const mediaType = (response.headers.get("content-type") ?? "").split(";", 1)[0]?.trim().toLowerCase() ?? "";
    const headers = new Headers(response.headers);
    // The body below is decoded already and has another length.
    headers.delete("content-encoding");
    headers.delete("content-length");
    if (response.ok && mediaType === "text/event-stream" && response.body) {
      return new Response(cappedStream(model, response.body, init?.signal), { status: response.status, headers });
    }
    const text = await reach(model, init?.signal, () => readCapped(model, response));
    if (!response.ok) return new Response(text, { status: response.status, headers });
    if (!/[/+]json$/.test(mediaType)) {
      throw modelError("invalid", `The endpoint of ${model} answered with ${mediaType || "no content type"} instead of JSON.`, {
        model,
        mediaType,
      });
    }
    if (!asksForStream(init?.body)) return new Response(text, { status: response.status, headers });
    headers.set("content-type", "text/event-stream");
    return new Response(asEventStream(model, text), { status: response.status, headers });
  };
}

async function reach<T>(model: string, signal: AbortSignal | null | undefined, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof SignalboxError || signal?.aborted) throw error;
    throw networkError(model, codeOf(error), error);
  }
}

function codeOf(error: unknown): string {
  for (let cause = error; typeof cause === "object" && cause !== null; cause = (cause as { cause?: unknown }).cause) {
    if ("code" in cause && typeof cause.code === "string") return cause.code;
  }
  return "connection failed";
}

async function readCapped(model: string, response: Response): Promise<string> {
  if (!response.body) return "";
  const decoder = new TextDecoder();
  let text = "";
  let bytes = 0;
  for await (const chunk of response.body) {
    bytes += chunk.byteLength;
    // Leaving the loop cancels the body, which closes the socket.
    if (bytes > MAX_ANSWER_BYTES) throw tooLarge(model, MAX_ANSWER_BYTES);
    text += decoder.decode(chunk, { stream: true });
  }
  return text + decoder.decode();
}

function cappedStream(model: string, body: ReadableStream<Uint8Array>, signal: AbortSignal | null | undefined): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let bytes = 0;
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await reach(model, signal, () => reader.read());
      if (done) return controller.close();
      bytes += value.byteLength;
      if (bytes > MAX_STREAM_BYTES) {
        await reader.cancel();
        throw tooLarge(model, MAX_STREAM_BYTES);
      }
      controller.enqueue(value);
    },
    cancel: (reason) => reader.cancel(reason),
  });
}

export function tooLarge(model: string, limit: number): SignalboxError {
  return modelError("too_large", `The answer of ${model} is larger than ${limit} bytes.`, { model, limit });
}

/** Unescaped, the text can only be the member itself: inside a JSON string its quotes would carry backslashes. */
function asksForStream(body: unknown): boolean {
  return typeof body === "string" && body.includes('"stream":true');
}

function asEventStream(model: string, text: string): string {
  try {
    const { choices, ...rest } = JSON.parse(text) as { choices: [{ message: object }, ...{ message: object }[]] };
    const [{ message, ...choice }] = choices;
    const { tool_calls } = message as { tool_calls?: unknown };
    // In a stream each call says which one it is.
    const calls = Array.isArray(tool_calls) ? { tool_calls: tool_calls.map((call: object, index) => ({ ...call, index })) } : {};
    const chunk = { ...rest, choices: [{ ...choice, delta: { ...message, ...calls } }] };
    return `data: ${JSON.stringify(chunk)}\n\ndata: [DONE]\n\n`;
  } catch (cause) {
    // Destructuring what is not there throws like broken JSON does.
    throw modelError("invalid", `The answer of ${model} is not a chat completion.`, { model, cause });
  }
}
