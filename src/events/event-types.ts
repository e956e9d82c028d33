import { compileInputSchema, inputSchemaIssues } from "../definition/input-schema.ts";
import type { Json, JsonObject } from "../definition/json.ts";
import type { EventType, IncomingEvent } from "../definition/received-event.ts";
import { notFound, SignalboxError, type Issue } from "../errors.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { EventTypeStore } from "../ports/inbound-store.ts";

/** Types kept in memory, over all tenants, those included that are not registered; the longest unused is dropped first. */
const MAX_KNOWN = 5_000;

export interface EventTypeInput {
  description?: string | undefined;
  schema: JsonObject;
  example?: Json | undefined;
}

/** Registered event types: what events of a type must look like to be taken in. */
export interface EventTypes {
  /** What keeps an event's data from fitting its type; nothing where the type is not registered. Pointers start at `/data`. */
  issues(tenant: string, event: IncomingEvent): Promise<Issue[]>;
  /** Creates or replaces. INVALID_INPUT where the schema is none, or its own example does not fit. */
  put(tenant: string, type: string, input: EventTypeInput): Promise<EventType>;
  /** NOT_FOUND. */
  remove(tenant: string, type: string): Promise<void>;
}

export interface EventTypesOptions {
  store: EventTypeStore;
  clock: Clock;
  /** How old what is known of other processes' writes may be, milliseconds. */
  freshMs?: number;
}

/** Types are read once in five seconds while events of them come, never per event. */
export function createEventTypes({ store, clock, freshMs = 5_000 }: EventTypesOptions): EventTypes {
  type Check = (data: Json) => Issue[];
  const known = new Map<string, { since: number; check: Promise<Check> }>();
  const keyOf = (tenant: string, type: string): string => JSON.stringify([tenant, type]);

  async function load(tenant: string, type: string): Promise<Check> {
    const registered = await store.get(tenant, type);
    return registered ? compileSchema(registered.schema) : () => [];
  }

  async function checkOf(tenant: string, type: string): Promise<Check> {
    const key = keyOf(tenant, type);
    const present = known.get(key);
    if (present && clock.now() - present.since < freshMs) return await present.check;
    const entry = { since: clock.now(), check: load(tenant, type) };
    known.delete(key);
    known.set(key, entry);
    const [oldest] = known.keys();
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest);
    try {
      return await entry.check;
    } catch (error) {
      if (known.get(key) === entry) known.delete(key);
      throw error;
    }
  }

  return {
    async issues(tenant, { type, data }) {
      return (await checkOf(tenant, type))(data);
    },
    async put(tenant, type, { description = null, schema, example = null }) {
      const issues = inputSchemaIssues(schema).map((issue) => ({ ...issue, pointer: issue.pointer.replace("/input", "/schema") }));
      if (issues.length === 0 && example !== null) {
        issues.push(...compileSchema(schema)(example).map((issue) => ({ ...issue, pointer: issue.pointer.replace("/data", "/example") })));
      }
      if (issues.length > 0) throw new SignalboxError("INVALID_INPUT", issues[0]?.message, { issues });
      const at = isoTime(clock);
      const written = await store.put(tenant, { type, description, schema, example, createdAt: at, updatedAt: at });
      known.delete(keyOf(tenant, type));
      return written;
    },
    async remove(tenant, type) {
      if (!(await store.remove(tenant, type))) throw notFound("event type", type);
      known.delete(keyOf(tenant, type));
    },
  };
}

function compileSchema(schema: JsonObject): (data: Json) => Issue[] {
  const check = compileInputSchema(schema);
  // A schema judges any JSON value; only that of an execution's input is always an object.
  return (data) => check(data as JsonObject).map((issue) => ({ ...issue, pointer: issue.pointer.replace("/input", "/data") }));
}
