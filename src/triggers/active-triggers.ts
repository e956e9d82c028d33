import type { Workflow } from "../definition/workflow.ts";
import { SignalboxError } from "../errors.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import { createLatest } from "./latest.ts";
import { compileTriggers, type CompiledTrigger } from "./compiled-trigger.ts";
import type { TriggerTypes } from "./trigger-types.ts";

const PAGE = 200;
/** Tenants whose triggers are kept in memory, the longest unused dropped first. */
const MAX_TENANTS = 1_000;
/** What is known is read again after this time even where no write was told of: a process of the version before tells of none, milliseconds. */
const REREAD_MS = 30_000;

/** The enabled triggers of a tenant's active workflows, found by what wakes them. */
export interface TenantTriggers {
  byEventType: ReadonlyMap<string, readonly CompiledTrigger[]>;
  byPath: ReadonlyMap<string, readonly CompiledTrigger[]>;
  onCompletion: readonly CompiledTrigger[];
}

export interface ActiveTriggers {
  /** As they are now, whichever process wrote them: one read for all who ask meanwhile. Workflows are read when they have changed. */
  current(tenant: string): Promise<TenantTriggers>;
  /** As they were at most `freshMs` ago, which mostly reads nothing; writes of this process are seen at once. */
  recent(tenant: string): Promise<TenantTriggers>;
  /** Told of a write. */
  forget(tenant: string): void;
}

export interface ActiveTriggersOptions {
  store: Store;
  types: TriggerTypes;
  clock: Clock;
  freshMs: number;
}

export function createActiveTriggers({ store, types, clock, freshMs }: ActiveTriggersOptions): ActiveTriggers {
  const known = new Map<string, Known>();
  const stampOf = createLatest((tenant: string) => store.workflows.stamp(tenant));

  async function load(tenant: string): Promise<TenantTriggers> {
    const byEventType = new Map<string, CompiledTrigger[]>();
    const byPath = new Map<string, CompiledTrigger[]>();
    const onCompletion: CompiledTrigger[] = [];
    for await (const workflow of activeWorkflows(store, tenant)) {
      for (const trigger of compileTriggers(workflow, types)) {
        if (!trigger.definition.enabled) continue;
        if (trigger.wake.on === "event") add(byEventType, trigger.wake.eventType, trigger);
        if (trigger.wake.on === "completion") onCompletion.push(trigger);
        if (trigger.wake.on === "request") add(byPath, trigger.wake.path, trigger);
      }
    }
    return { byEventType, byPath, onCompletion };
  }

  async function current(tenant: string): Promise<TenantTriggers> {
    const askedAt = clock.now();
    // Before the workflows, so that a write between the two is seen the next time.
    const stamp = await stampOf(tenant);
    const present = known.get(tenant);
    if (present?.stamp === stamp && clock.now() - present.readAt < REREAD_MS) {
      present.checkedAt = askedAt;
      return await present.triggers;
    }
    const entry = { stamp, readAt: askedAt, checkedAt: askedAt, triggers: load(tenant) };
    known.delete(tenant);
    known.set(tenant, entry);
    const [oldest] = known.keys();
    if (known.size > MAX_TENANTS && oldest !== undefined) known.delete(oldest);
    try {
      return await entry.triggers;
    } catch (error) {
      if (known.get(tenant) === entry) known.delete(tenant);
      throw error;
    }
  }

  return {
    current,
    async recent(tenant) {
      const present = known.get(tenant);
      return await (present && clock.now() - present.checkedAt < freshMs ? present.triggers : current(tenant));
    },
    forget: (tenant) => void known.delete(tenant),
  };
}

interface Known {
  stamp: string;
  readAt: number;
  /** When the stamp was last asked for. */
  checkedAt: number;
  triggers: Promise<TenantTriggers>;
}

async function* activeWorkflows(store: Store, tenant: string): AsyncIterable<Workflow> {
  let pageToken: string | undefined;
  do {
    const page = await store.workflows.list(tenant, { status: "active", pageSize: PAGE, pageToken });
    yield* page.items;
    pageToken = page.nextPageToken;
  } while (pageToken !== undefined);
}

function add(index: Map<string, CompiledTrigger[]>, key: string, trigger: CompiledTrigger): void {
  const others = index.get(key);
  if (others) others.push(trigger);
  else index.set(key, [trigger]);
}

/** The one trigger of a path. NOT_FOUND where there is none; CONFLICT where several have it, because guessing would be worse. */
export function triggerOfPath({ byPath }: TenantTriggers, path: string): CompiledTrigger {
  const [found, ...others] = byPath.get(path) ?? [];
  if (!found) throw new SignalboxError("NOT_FOUND", `There is no webhook "${path}".`, { details: { kind: "webhook", id: path } });
  if (others.length > 0) {
    throw new SignalboxError("CONFLICT", `${others.length + 1} triggers have the path "${path}"; it must belong to one.`, {
      details: { path },
    });
  }
  return found;
}
