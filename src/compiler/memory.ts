import { durationMs } from "../definition/duration.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { MemoryAppend, MemoryConfig, RememberedMessage } from "../definition/memory.ts";
import { cutMessage, tellable } from "../definition/remember.ts";
import { isoTime } from "../ports/clock.ts";
import type { Remember } from "../steps/step.ts";
import { toSlot } from "./scope.ts";
import type { Slot } from "./state.ts";
import type { Visit } from "./visit.ts";

/** Conversations of an execution are variables no expression can name, so that branches, loops and crashes treat them like others. */
export const MEMORY = "$memory.";
/** Longer messages are referenced: the variable is written whole with every superstep. */
const INLINE_BYTES = 512;
/** Shorter texts would be found everywhere. */
const SHORTEST_SECRET = 4;
const SECRET = "[secret]";

/** What a step is told of the conversation, oldest first. */
export async function recall({ host, variables }: Visit, config: MemoryConfig): Promise<RememberedMessage[]> {
  if (config.scope === "thread") return tellable((await host.memory(config.key))?.messages ?? [], config);
  const kept = keptIn(variables[MEMORY + config.key]);
  const loaded = await host.values(kept.flatMap((slot) => ("r" in slot ? [slot.r] : [])));
  const messages = kept.map((slot) => ("v" in slot ? slot.v : (loaded.get(slot.r) ?? null)));
  return tellable(messages as RememberedMessage[], config); // what `remembered` kept
}

/** What a finished visit adds: to a variable, or to a thread in the same commit. Secrets of the workflow are no part of it. */
export function remembered(
  visit: Visit,
  { memory, messages }: Remember,
  values: { ref: string; value: Json }[],
): { variables: [string, Json][]; append: MemoryAppend | undefined } {
  const { host, place } = visit;
  const hide = withoutSecrets(visit);
  const clean = messages.map((message) => cutMessage({ ...message, content: hide(message.content) }));
  if (memory.scope === "execution") {
    const kept = clean.map((message) => toSlot(message as unknown as Json, values, `A message of "${place.stepId}"`, INLINE_BYTES));
    return { variables: [[MEMORY + memory.key, kept]], append: undefined };
  }
  const expiresAt = new Date(host.clock.now() + (durationMs(memory.ttl) ?? 0)).toISOString();
  return { variables: [], append: { key: memory.key, messages: clean, at: isoTime(host.clock), expiresAt } };
}

function keptIn(slot: Slot | undefined): Slot[] {
  return slot && "v" in slot && Array.isArray(slot.v) ? (slot.v as unknown as Slot[]) : [];
}

function withoutSecrets({ workflow, scope }: Visit): (text: string) => string {
  // Scopes are built from JSON alone, see scope.ts.
  const { vars } = scope as { vars: JsonObject };
  const secret = Object.entries(vars).filter(([name]) => workflow.definition.variables[name]?.secret === true);
  const texts = secret.flatMap(([, value]) => textsOf(value)).filter((text) => text.length >= SHORTEST_SECRET);
  return (text) => texts.reduce((hidden, part) => hidden.replaceAll(part, SECRET), text);
}

function textsOf(value: Json): string[] {
  if (typeof value === "string") return [value];
  return value !== null && typeof value === "object" ? Object.values(value).flatMap(textsOf) : [];
}
