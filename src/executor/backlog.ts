import type { WorkHint } from "../ports/queue.ts";
import { rankOf, rankOfBegun } from "./rank.ts";

/** Hints kept; what is more is dropped, worst rank of the busiest tenant first, and the sweeper finds it again. */
const CAPACITY = 1_000;
/** Of these many the record is kept as well, which saves a read; an input may have 1 MB. */
const RECORDS = 256;

/** Hints a worker has no slot for yet. */
export interface Backlog {
  put(hint: WorkHint, now: number): void;
  has(hint: Pick<WorkHint, "tenant" | "executionId">): boolean;
  /** The next one to begin: of the tenant with the fewest under way here, the one of the lowest rank. */
  next(): WorkHint | undefined;
  clear(): void;
  readonly size: number;
}

interface Waiting {
  hint: WorkHint;
  rank: number;
}

export function createBacklog({ runningOf }: { runningOf(tenant: string): number }): Backlog {
  const tenants = new Map<string, Map<string, Waiting>>();
  let size = 0;
  let records = 0;

  function remove(tenant: string, { hint }: Waiting): void {
    const waiting = tenants.get(tenant);
    if (!waiting?.delete(hint.executionId)) return;
    if (waiting.size === 0) tenants.delete(tenant);
    size -= 1;
    if (hint.handle) records -= 1;
  }

  function makeRoom(): void {
    const [tenant, waiting] = [...tenants].toSorted((left, right) => right[1].size - left[1].size)[0] ?? [];
    const worst = waiting && extreme(waiting.values(), (one, other) => one.rank > other.rank);
    if (tenant !== undefined && worst) remove(tenant, worst);
  }

  return {
    put(hint, now) {
      const { tenant, executionId } = hint;
      const present = tenants.get(tenant)?.get(executionId);
      const rank = Math.min(rankOfHint(hint, now), present?.rank ?? Number.POSITIVE_INFINITY);
      if (present) remove(tenant, present);
      // Hinted twice: there may be mail, which a new record alone would not show.
      const isKept = hint.handle !== undefined && !present && records < RECORDS;
      const waiting = tenants.get(tenant) ?? new Map<string, Waiting>();
      tenants.set(tenant, waiting.set(executionId, { hint: isKept ? hint : { ...hint, handle: undefined }, rank }));
      size += 1;
      if (isKept) records += 1;
      if (size > CAPACITY) makeRoom();
    },
    has: ({ tenant, executionId }) => tenants.get(tenant)?.has(executionId) ?? false,
    next() {
      let best: { tenant: string; running: number; first: Waiting } | undefined;
      for (const [tenant, waiting] of tenants) {
        const running = runningOf(tenant);
        if (best && running > best.running) continue;
        const first = extreme(waiting.values(), (one, other) => one.rank < other.rank);
        if (first && (!best || running < best.running || first.rank < best.first.rank)) best = { tenant, running, first };
      }
      if (best) remove(best.tenant, best.first);
      return best?.first.hint;
    },
    clear() {
      tenants.clear();
      size = 0;
      records = 0;
    },
    get size() {
      return size;
    },
  };
}

function rankOfHint({ rank, handle }: WorkHint, now: number): number {
  if (rank !== undefined) return rank;
  return handle?.execution.startedAt === null ? rankOf(handle.execution) : rankOfBegun(now);
}

/** The one that no other is better than; the earliest of equal ones. */
function extreme(all: Iterable<Waiting>, isBetter: (one: Waiting, other: Waiting) => boolean): Waiting | undefined {
  let found: Waiting | undefined;
  for (const each of all) if (!found || isBetter(each, found)) found = each;
  return found;
}
