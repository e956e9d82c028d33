import type { Memory, MemoryAppend, MemoryConfig, RememberedMessage } from "./memory.ts";

// Apart from the shapes: the thread that writes to SQLite adds to memories and parses nothing. With Zod it took 20 MB more.

/** Messages and bytes one memory holds at most; the oldest go first. */
export const MAX_MESSAGES = 200;
const MAX_BYTES = 256 * 1_024;
/** A longer message is cut. */
const MAX_CHARACTERS = 20_000;
/** Roughly, as budgets count where an endpoint tells no usage. */
const CHARACTERS_PER_TOKEN = 4;

/** The memory after an addition; one whose time is over begins anew. */
export function appended(memory: Memory | undefined, { key, messages, at, expiresAt }: MemoryAppend): Memory {
  const before = memory && memory.expiresAt > at ? memory : undefined;
  const later = before && before.expiresAt > expiresAt ? before.expiresAt : expiresAt;
  return { key, messages: bounded([...(before?.messages ?? []), ...messages]), updatedAt: at, expiresAt: later };
}

/** The newest messages that a memory can hold. */
export function bounded<T>(messages: readonly T[]): T[] {
  const kept = messages.slice(-MAX_MESSAGES);
  let bytes = 0;
  const first = kept.findLastIndex((message) => (bytes += Buffer.byteLength(JSON.stringify(message))) > MAX_BYTES);
  return kept.slice(first + 1);
}

/** The newest messages of `last` and `maxTokens`, not beginning with an answer to what is cut off. */
export function tellable(
  messages: readonly RememberedMessage[],
  { last, maxTokens = Number.POSITIVE_INFINITY }: Pick<MemoryConfig, "last" | "maxTokens">,
): RememberedMessage[] {
  const kept = messages.slice(-last);
  let tokens = 0;
  const over = kept.findLastIndex(({ content }) => (tokens += Math.ceil(content.length / CHARACTERS_PER_TOKEN)) > maxTokens);
  const told = kept.slice(over + 1);
  return told[0]?.role === "assistant" ? told.slice(1) : told;
}

export function cutMessage({ role, content }: RememberedMessage): RememberedMessage {
  const text = content.toWellFormed();
  return { role, content: text.length > MAX_CHARACTERS ? `${text.slice(0, MAX_CHARACTERS)} (cut)` : text };
}
