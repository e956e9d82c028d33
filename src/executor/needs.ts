import type { Execution, Parent } from "../definition/execution.ts";
import type { WorkflowDefinition } from "../definition/workflow.ts";
import type { Clock } from "../ports/clock.ts";
import type { Store } from "../ports/store.ts";
import type { Claim } from "./admission.ts";
import { TENANT_LIMIT } from "./limit-name.ts";
import { createLru } from "./lru.ts";
import type { Need } from "./places.ts";

/** How long the newest version's limit is taken for the newest, milliseconds. */
const KEPT_MS = 5_000;
const CAPACITY = 500;
/** Parents are looked at up to this far. */
const DEPTH = 50;

interface NeedsOptions {
  store: Store;
  clock: Clock;
  tenantMax(tenant: string): number | undefined;
}

/** What an execution needs a place under. Costs nothing where no limit is set. */
export function createNeeds({ store, clock, tenantMax }: NeedsOptions) {
  const newest = createLru<{ at: number; max: Promise<number | undefined> }>(CAPACITY);

  /** The newest version's number: raising a limit helps those in line already. */
  async function maxOf({ tenant, workflowId }: Execution, { limits }: WorkflowDefinition): Promise<number | undefined> {
    const key = JSON.stringify([tenant, workflowId]);
    const read = async () => (await store.workflows.get(tenant, workflowId))?.definition.limits?.concurrency?.max;
    const make = () => ({ at: clock.now(), max: read() });
    let known = newest.get(key, make);
    if (clock.now() - known.at >= KEPT_MS) {
      newest.delete(key);
      known = newest.get(key, make);
    }
    try {
      return (await known.max) ?? limits?.concurrency?.max;
    } catch (error) {
      newest.delete(key);
      throw error;
    }
  }

  /** Its parent waits for it: a child of its own workflow would wait for the place its parent has. */
  async function isWithinItself({ tenant, workflowId, parent }: Execution): Promise<boolean> {
    let above = parent;
    for (let depth = 0; above && isAwaited(above) && depth < DEPTH; depth += 1) {
      const found: Execution | undefined = (await store.executions.get(tenant, above.executionId))?.execution;
      if (found?.workflowId === workflowId) return true;
      above = found?.parent ?? null;
    }
    return false;
  }

  return {
    maxOf,
    async needs({ handle, draft }: Claim, definition: WorkflowDefinition): Promise<Need[]> {
      const begins = draft.startedAt === null || draft.queued !== undefined || handle.execution.status === "FAILED";
      if (!begins) return [];
      const all: Need[] = [];
      const held = new Set(draft.permits?.map(({ limit }) => limit));
      if (draft.limit !== undefined && !held.has(draft.limit) && !(await isWithinItself(draft))) {
        const max = await maxOf(draft, definition);
        if (max !== undefined) all.push({ limit: draft.limit, max });
      }
      // The place of the first of a family stands for all of them: a parent must not wait for what its child waits for.
      const isFirst = draft.parent === null || !isAwaited(draft.parent);
      const max = isFirst && !held.has(TENANT_LIMIT) ? tenantMax(draft.tenant) : undefined;
      if (max !== undefined) all.push({ limit: TENANT_LIMIT, max });
      return all;
    },
  };
}

function isAwaited({ waitId }: Parent): boolean {
  return waitId !== null;
}
