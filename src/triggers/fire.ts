import { createHash } from "node:crypto";
import type { JsonObject } from "../definition/json.ts";
import type { IncomingEvent, TriggerOutcome } from "../definition/received-event.ts";
import { SignalboxError, toSignalboxError } from "../errors.ts";
import type { Executor } from "../executor/executor.ts";
import { completionProblem } from "./completion.ts";
import type { CompiledTrigger } from "./compiled-trigger.ts";
import { eventScope } from "./event.ts";

/** Executions that may start each other one after the other by events. */
const MAX_CHAIN = 16;

/** What a trigger would start for an event. */
export type Match =
  | { applies: true; executionId: string; input: JsonObject; event: IncomingEvent }
  | { applies: false; status: "SKIPPED"; reason: string }
  | { applies: false; status: "REFUSED"; error: SignalboxError };

/** Looks at one event with the eyes of one trigger; starts nothing. */
export function matchEvent(trigger: CompiledTrigger, given: IncomingEvent): Match {
  const { definition, wake } = trigger;
  if (!definition.enabled) return { applies: false, status: "SKIPPED", reason: "The trigger is disabled." };
  if (wake.on === "event" && wake.eventType !== given.type) return skipped(`It listens to events of the type "${wake.eventType}".`);
  if (wake.on === "event" && wake.source !== undefined && wake.source !== given.source)
    return skipped(`It listens to the source "${wake.source}".`);
  const problem = wake.on === "completion" ? completionProblem(wake, trigger.workflowId, given) : undefined;
  if (problem !== undefined) return skipped(problem);
  const event = trigger.prepare(given);
  if (!event) return skipped("It listens to other documents.");
  const scope = { event: eventScope(event), trigger: { type: definition.type, id: trigger.id } };
  try {
    checkChain(event);
    const issues = trigger.dataIssues(event.data);
    if (issues.length > 0) throw new SignalboxError("INVALID_INPUT", `The data does not fit: ${issues[0]?.message}`, { issues });
    if (trigger.condition && trigger.condition.evaluate(scope) !== true) return skipped("Its condition is false.");
    return { applies: true, executionId: executionIdOf(trigger, event, scope), input: inputOf(trigger, event, scope), event };
  } catch (error) {
    return { applies: false, status: "REFUSED", error: toSignalboxError(error) };
  }
}

/** Workflows that start each other by events for ever end here. */
function checkChain({ extensions }: IncomingEvent): void {
  const chain = Number(extensions?.["chain"] ?? 0);
  if (chain <= MAX_CHAIN) return;
  throw new SignalboxError(
    "CHAIN_TOO_LONG",
    `${chain} executions lie behind this event, each started by the one before; ${MAX_CHAIN} may.`,
    {
      details: { chain, limit: MAX_CHAIN },
    },
  );
}

function skipped(reason: string): Match {
  return { applies: false, status: "SKIPPED", reason };
}

/** Without a mapping the data is the input, where it is an object; nothing else could be. */
function inputOf({ input }: CompiledTrigger, { data }: IncomingEvent, scope: Record<string, unknown>): JsonObject {
  if (input) return input.evaluate(scope) as JsonObject; // a template of an object gives an object
  return typeof data === "object" && data !== null && !Array.isArray(data) ? data : {};
}

/** The same for the same (trigger, key) wherever and whenever it is computed: this is what makes a second start impossible. */
function executionIdOf(
  { tenant, workflowId, id, dedupeKey }: CompiledTrigger,
  event: IncomingEvent,
  scope: Record<string, unknown>,
): string {
  const key = dedupeKey?.evaluate(scope);
  if (key === null || typeof key === "object") {
    throw new SignalboxError("INVALID_INPUT", "The dedupeKey must give a text, a number or a boolean.", {
      details: { expression: dedupeKey?.source },
    });
  }
  const identity = key === undefined ? ["event", event.source, event.id] : ["key", key];
  return createHash("sha256")
    .update(JSON.stringify([tenant, workflowId, id, ...identity]))
    .digest("hex")
    .slice(0, 40);
}

/**
 * Starts what the trigger says, at most once per (trigger, key). Rejects only with what may pass (a store that cannot be reached, a
 * limit): firing again with the same event is safe then, and anything else is an outcome.
 */
export async function fireTrigger(executor: Executor, trigger: CompiledTrigger, event: IncomingEvent): Promise<TriggerOutcome> {
  const match = matchEvent(trigger, event);
  if (!match.applies) return outcomeOf(trigger, match);
  const { tenant, workflowId, id, definition } = trigger;
  try {
    const { created } = await executor.start(
      { id: `trigger:${workflowId}/${id}`, tenant },
      {
        id: match.executionId,
        workflowId,
        input: match.input,
        trigger: { type: definition.type, id, summary: `${event.type} from ${event.source}`.slice(0, 500), event: eventScope(match.event) },
      },
    );
    return outcomeOf(trigger, { ...match, created });
  } catch (error) {
    const known = toSignalboxError(error);
    if (known.retryable || known.code === "INTERNAL") throw error;
    return outcomeOf(trigger, { applies: false, status: "REFUSED", error: known });
  }
}

/** A match, and what came of it where it was acted on, as a line of a receipt. */
export function outcomeOf(
  { workflowId, id }: CompiledTrigger,
  match: (Match & { applies: false }) | (Match & { applies: true; created: boolean }),
): TriggerOutcome {
  const line = { workflowId, triggerId: id };
  if (match.applies) {
    const { executionId, created } = match;
    return created
      ? { ...line, status: "STARTED", executionId, code: null, reason: "It started an execution." }
      : { ...line, status: "DUPLICATE", executionId, code: null, reason: "It had started this execution before." };
  }
  if (match.status === "SKIPPED") return { ...line, status: "SKIPPED", executionId: null, code: null, reason: match.reason };
  return { ...line, status: "REFUSED", executionId: null, code: match.error.code, reason: match.error.message };
}
