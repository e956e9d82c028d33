import type { ModelToken } from "../../definition/event.ts";
import type { Executor } from "../../executor/executor.ts";
import { statusesOf } from "./statuses.ts";

/** Model tokens from now on, until the execution ends. NOT_FOUND before the first. */
export async function* tokensOf(executor: Executor, tenant: string, executionId: string, signal: AbortSignal): AsyncGenerator<ModelToken> {
  await executor.get(tenant, executionId);
  // Tokens have no end of their own: the execution's is the last that can follow one.
  const over = new AbortController();
  const stop = AbortSignal.any([signal, over.signal]);
  const watching = untilEnd(statusesOf(executor, tenant, executionId, stop)).finally(() => over.abort());
  try {
    yield* executor.tokens(tenant, executionId, { signal: stop });
  } finally {
    over.abort();
    await watching;
  }
}

async function untilEnd(statuses: AsyncIterable<unknown>): Promise<void> {
  for await (const _status of statuses);
}
