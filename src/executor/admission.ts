import type { TimedDraft } from "../compiler/host.ts";
import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution, Permit } from "../definition/execution.ts";
import type { WorkflowDefinition } from "../definition/workflow.ts";
import { toSignalboxError } from "../errors.ts";
import { placeOfNext, type EventOutlet } from "../relay/outlet.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import type { WorkHint } from "../ports/queue.ts";
import type { LimitChanges, LimitState } from "../ports/limits.ts";
import type { ExecutionHandle, Store } from "../ports/store.ts";
import { nextWakeAt, type Absorbed } from "./absorb.ts";
import { TENANT_LIMIT } from "./limit-name.ts";
import { createNeeds } from "./needs.ts";
import { anyOf, freeNumbers, type Need } from "./places.ts";
import { rankOf } from "./rank.ts";
import { ofExecution } from "./settle.ts";
import { createOneAtATime } from "./one-at-a-time.ts";
import { emptyParts } from "./empty-commit.ts";

/** How soon somebody looks again whether a place is free, should nobody tell, milliseconds: half as long as it has waited. */
const FIRST_LOOK_MS = 5_000;
const LONGEST_LOOK_MS = 300_000;
/** Whoever was not looked after for so long after that holds up nobody behind it, milliseconds. */
const FORGOTTEN_MS = 60_000;
/** Of a line this many are looked at. */
const LINE = 100;
/** Other processes may take the free places before us this often until we wait in line. */
const TRIES = 20;

/** A claim that is about to be made: the record it is based on, and as it will be with what was absorbed. */
export interface Claim {
  handle: ExecutionHandle;
  draft: Execution;
  absorbed: Absorbed;
}

/** Lets in what limits allow, and keeps everything else in line. */
export interface Admission {
  /** Limits an execution needs a place under before it goes on; none for what is under way. */
  needs(claim: Claim, definition: WorkflowDefinition): Promise<Need[]>;
  /** Claims with a place under each limit, or lets it wait in line: the handle as written, owned or not. LEASE_LOST as with any claim. */
  admit(claim: Claim, needs: readonly Need[]): Promise<ExecutionHandle>;
  /** Calls those whose turn it is after `given` were given back. */
  freed(execution: Execution, given: readonly Permit[], definition: WorkflowDefinition): Promise<void>;
}

interface AdmissionOptions {
  store: Store;
  clock: Clock;
  outlet: EventOutlet;
  /** Most executions of a tenant at once; undefined: as many as there are. */
  tenantMax(tenant: string): number | undefined;
  hint(hint: WorkHint): void;
}

export function createAdmission({ store, clock, outlet, tenantMax, hint }: AdmissionOptions): Admission {
  const { needs, maxOf } = createNeeds({ store, clock, tenantMax });
  const turns = createOneAtATime();

  const look = (tenant: string, { limit, max }: Need): Promise<LimitState> => store.limits.look(tenant, limit, Math.min(max, LINE) + 1);

  /** True where a place is free that nobody before this execution waits for. */
  function hasRoom(draft: Execution, need: Need, state: LimitState): boolean {
    const rank = rankOf(draft);
    const ahead = state.line.filter((other) => other.executionId !== draft.id && other.rank < rank && other.until > clock.now());
    return freeNumbers(need, state).length > ahead.length;
  }

  async function firstFull({ draft }: Claim, all: readonly Need[]): Promise<{ full?: Need; states: LimitState[] }> {
    const states = await Promise.all(all.map((need) => look(draft.tenant, need)));
    const full = all.find((need, n) => !hasRoom(draft, need, states[n] ?? { taken: [], line: [] }));
    return full ? { full, states } : { states };
  }

  async function take(claim: Claim, all: readonly Need[]): Promise<ExecutionHandle | { full: Need }> {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const { full, states } = await firstFull(claim, all);
      if (full) return { full };
      const permits = all.flatMap((need, n): Permit[] => {
        const number = anyOf(freeNumbers(need, states[n] ?? { taken: [] }));
        return number === undefined ? [] : [{ limit: need.limit, number }];
      });
      try {
        return await claimWith(claim, permits);
      } catch (error) {
        if (toSignalboxError(error).code !== "LIMIT_EXCEEDED") throw error;
      }
    }
    return { full: all[0] as Need }; // there is one: nothing to take is nothing to be refused
  }

  async function claimWith({ handle, draft, absorbed }: Claim, permits: Permit[]): Promise<ExecutionHandle> {
    const { queued: _queued, ...rest } = draft;
    const execution = { ...rest, permits: [...(draft.permits ?? []), ...permits], wakeAt: draft.leaseUntil };
    const leave = draft.queued ? { limit: draft.queued.limit, rank: rankOf(draft) } : null;
    return await commit(handle, execution, absorbed, [], { take: permits, give: [], join: null, leave });
  }

  async function wait({ handle, draft, absorbed }: Claim, { limit, max }: Need, all: readonly Need[]): Promise<ExecutionHandle> {
    const now = clock.now();
    const stored = handle.execution;
    const isNew = stored.queued?.limit !== limit;
    // Hinted again, and nothing is different.
    if (!isNew && stored.wakeAt !== null && stored.wakeAt > now && absorbed.consumed.length === 0) return handle;
    const since = isNew || !stored.queued ? isoTime(clock) : stored.queued.since;
    const rank = rankOf(draft);
    const lookIn = Math.min(Math.max((now - Date.parse(since)) / 2, FIRST_LOOK_MS), LONGEST_LOOK_MS) * (0.75 + Math.random() / 2);
    const wakeAt = Math.round(Math.min(now + lookIn, nextWakeAt(draft) ?? Number.POSITIVE_INFINITY));
    const execution: Execution = {
      ...draft,
      status: draft.startedAt === null ? "PENDING" : draft.status,
      queued: { limit, since },
      owner: null,
      leaseUntil: null,
      wakeAt,
      idleClaims: stored.idleClaims,
    };
    const events = isNew
      ? [{ at: isoTime(clock), ...ofExecution("execution.queued", `Waits for a place under ${limit} (${max}).`, { limit, max }) }]
      : [];
    const leave = isNew && stored.queued ? { limit: stored.queued.limit, rank } : null;
    const waiting = await commit(handle, execution, absorbed, events, {
      take: [],
      give: [],
      leave,
      join: { limit, rank, until: wakeAt + FORGOTTEN_MS },
    });
    // A place may have been given back between the look and now, and nobody was in line to be called.
    await call(draft, { limit, max });
    const before = isNew ? all.find((need) => need.limit === stored.queued?.limit) : undefined;
    if (before) await call(draft, before);
    return waiting;
  }

  async function commit(
    { execution: { epoch, lastSeq }, token }: ExecutionHandle,
    execution: Execution,
    { events: absorbedEvents, consumed, closed, reminded }: Absorbed,
    more: TimedDraft[],
    limits: LimitChanges,
  ): Promise<ExecutionHandle> {
    const events = [...absorbedEvents, ...more].map((event, n): ExecutionEvent => ({ seq: lastSeq + n + 1, ...event }));
    const next = structuredClone({ ...execution, lastSeq: lastSeq + events.length, updatedAt: isoTime(clock) });
    const isRelease = execution.owner === null;
    const relay = await placeOfNext(outlet, { draft: next, before: lastSeq, events, isRelease, now: clock.now() });
    const handle = await store.executions.commit({
      guard: { epoch, lastSeq, token },
      execution: { ...next, ...relay },
      events,
      ...emptyParts(),
      closeWaits: closed,
      remindedWaits: reminded,
      consumed,
      limits,
    });
    outlet.committed(handle, events);
    return handle;
  }

  /** Hints the first in line, as many as there are free places. */
  async function call({ tenant }: Execution, need: Need): Promise<void> {
    const state = await look(tenant, need);
    // Those nobody looked after are called last: it may be that no process can run them.
    const [known, forgotten] = [true, false].map((isKnown) => state.line.filter(({ until }) => until > clock.now() === isKnown));
    for (const { executionId, rank } of [...(known ?? []), ...(forgotten ?? [])].slice(0, freeNumbers(need, state).length))
      hint({ tenant, executionId, rank });
  }

  return {
    needs,
    async admit(claim, all) {
      const { full } = await firstFull(claim, all);
      // One of this process at a time goes for the same places; whoever has to wait anyway need not wait for that.
      const key = JSON.stringify([claim.draft.tenant, all.at(-1)?.limit]);
      const outcome = full ? { full } : await turns.inTurn(key, () => take(claim, all));
      return "full" in outcome ? await wait(claim, outcome.full, all) : outcome;
    },
    async freed(execution, given, definition) {
      for (const { limit } of given) {
        const max = limit === TENANT_LIMIT ? tenantMax(execution.tenant) : await maxOf(execution, definition);
        if (max !== undefined) await call(execution, { limit, max });
      }
    },
  };
}
