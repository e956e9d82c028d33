import type { ModelRequest } from "../../src/ai/model-call.ts";
import { SignalboxError } from "../../src/errors.ts";

/** A question to `openai:gpt-4o-mini`. */
export function asking(over: Partial<ModelRequest> = {}): ModelRequest {
  return { model: "openai:gpt-4o-mini", messages: [["user", "What colour is the sky?"]], signal: new AbortController().signal, ...over };
}

/** What a promise rejects with, which must be one of our errors. */
export async function failureOf(promise: Promise<unknown>): Promise<SignalboxError> {
  const error = await promise.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof SignalboxError)) throw new Error(`expected a SignalboxError, got ${String(error)}`);
  return error;
}
