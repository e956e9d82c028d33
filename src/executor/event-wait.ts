import type { Execution, SignalMessage } from "../definition/execution.ts";
import { parseExpression } from "../definition/expression.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import { receivedIdOf, topicOf, type ReceivedEvent } from "../definition/received-event.ts";
import type { OpenWait, Wait } from "../definition/wait.ts";
import { SignalboxError } from "../errors.ts";

/** What came at most this long before an execution was created counts as later: the clocks of two processes differ, milliseconds. */
const CLOCK_GRACE_MS = 1_000;

/** The event a wait is for, where it is for one. */
export function eventNameOf(wait: Wait): string | undefined {
  const event = stepStateOf(wait)?.["event"];
  return typeof event === "string" ? event : undefined;
}

/** True when an open wait takes this event: it has the name, and the wait's `match` is true of it. Pure. */
export function takesEvent(wait: Wait, { id, event: type, data, at: time, delivery }: SignalMessage): boolean {
  if (wait.answer !== null) return false;
  // An event of the tenant was matched, with all its attributes, when it was addressed to this wait.
  if (delivery !== undefined) return delivery.waitId === wait.id;
  if (eventNameOf(wait) !== type) return false;
  const { match = null, scope = null } = stepStateOf(wait) ?? {};
  return fits(match, scope, { id, type, time, data });
}

/** What a wait for an event of the tenant looks for. */
export interface TenantWait {
  type: string;
  subject: string | undefined;
  /** Events received before this instant are not meant, RFC 3339. */
  since: string;
  /** The event that started the execution never wakes it: `receivedId`. */
  except: string | null;
  match: Json;
  scope: Json;
}

/** Undefined for a wait that events reach by naming the execution only. */
export function tenantWaitOf(execution: Pick<Execution, "createdAt" | "trigger">, wait: Wait): TenantWait | undefined {
  const state = stepStateOf(wait);
  const type = eventNameOf(wait);
  if (state?.["from"] !== "tenant" || type === undefined) return undefined;
  const { subject, lookbackMs, match = null, scope = null } = state;
  const from = typeof lookbackMs === "number" ? Date.parse(wait.since) - lookbackMs : Date.parse(execution.createdAt) - CLOCK_GRACE_MS;
  const { id, source } = objectOf(execution.trigger.event) ?? {};
  return {
    type,
    subject: typeof subject === "string" ? subject : undefined,
    since: new Date(from).toISOString(),
    except: typeof id === "string" && typeof source === "string" ? receivedIdOf({ id, source }) : null,
    match,
    scope,
  };
}

/** Where an event finds the wait, and what it is compared with there. */
export function openTenantWait({ type, subject, ...request }: TenantWait): Pick<OpenWait, "topic"> & { request: JsonObject } {
  return { topic: topicOf(type, subject), request: { ...request } };
}

/** True when an event of the tenant is what the open wait looks for; `isReplayed` events must also have come in its time. */
export function awaits({ request }: Pick<OpenWait, "request">, received: ReceivedEvent, { isReplayed = false } = {}): boolean {
  const { match = null, scope = null, except = null, since } = request;
  if (except === received.id || (isReplayed && typeof since === "string" && received.receivedAt < since)) return false;
  const { id, source, type, subject = null, time = received.receivedAt, data, extensions = {} } = received.event;
  return fits(match, scope, { id, source, type, subject, time, data, extensions });
}

/** An event that lacks what `match` asks about is another one, not a failure. */
function fits(match: Json, scope: Json, event: JsonObject): boolean {
  if (typeof match !== "string") return true;
  try {
    return parseExpression(match).evaluate({ ...objectOf(scope), event }) === true;
  } catch (error) {
    if (error instanceof SignalboxError && error.code === "EXPRESSION_FAILED") return false;
    throw error;
  }
}

/** What the step said when it parked; a task may name an event that completes it as well. */
function stepStateOf({ kind, state }: Wait): JsonObject | undefined {
  const mayHave = kind === "event" || kind === "task" || kind === "callback";
  return mayHave ? objectOf(objectOf(state)?.["step"] ?? null) : undefined;
}

function objectOf(value: Json): JsonObject | undefined {
  return value !== null && typeof value === "object" && !Array.isArray(value) ? value : undefined;
}
