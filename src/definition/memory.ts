import { z } from "zod";
import { Duration } from "./duration.ts";

/** Messages and bytes one memory holds at most; the oldest go first. */
const MAX_MESSAGES = 200;
const MAX_BYTES = 256 * 1_024;
/** A longer message is cut. */
const MAX_CHARACTERS = 20_000;
/** Roughly, as budgets count where an endpoint tells no usage. */
const CHARACTERS_PER_TOKEN = 4;

export const RememberedMessage = z.object({ role: z.enum(["user", "assistant"]), content: z.string() }).meta({ id: "RememberedMessage" });
export type RememberedMessage = z.infer<typeof RememberedMessage>;

/** Which conversation a step takes part in, and how much of it is told to the model. */
export const MemoryConfig = z
  .strictObject({
    scope: z.enum(["execution", "thread"]).default("execution").describe("execution: of this execution; thread: of all that use the key"),
    key: z.string().min(1).max(255).default("default").describe("Name of the conversation; strings may hold ${ cel }"),
    last: z.number().int().min(1).max(MAX_MESSAGES).default(20).describe("Messages told to the model at most"),
    maxTokens: z.number().int().min(1).optional().describe("Tokens told to the model at most, roughly"),
    ttl: Duration.default("30d").describe("How long a thread is kept after it was last used"),
  })
  .describe("A conversation the step goes on with and adds to");
export type MemoryConfig = z.infer<typeof MemoryConfig>;

/** What is remembered under a key, oldest first. */
export const Memory = z
  .object({
    key: z.string(),
    messages: z.array(RememberedMessage),
    updatedAt: z.string(),
    expiresAt: z.string().describe("When it is forgotten unless it is used again"),
  })
  .meta({ id: "Memory" });
export type Memory = z.infer<typeof Memory>;

/** What one commit adds to a memory. */
export interface MemoryAppend {
  key: string;
  messages: RememberedMessage[];
  at: string;
  expiresAt: string;
}

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
