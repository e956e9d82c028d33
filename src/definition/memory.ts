import { z } from "zod";
import { Duration } from "./duration.ts";
import { MAX_MESSAGES } from "./remember.ts";

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
