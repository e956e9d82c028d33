import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution } from "../definition/execution.ts";
import type { ExecutionHandle, RelayPlace } from "../ports/store.ts";

/** Time a worker has to claim a new execution, and to hand on its first event, before sweepers look, milliseconds. */
const NEW_GRACE_MS = 30_000;
/** The same after the end of a holding, which hands on at once. */
const RELEASED_GRACE_MS = 5_000;
/** While an execution is held its holder hands on, and whoever claims it after a crash: nobody else is to look. */
const HELD_MS = 120_000;

/** What the executor tells of its commits, so that events go on to whoever wants them. */
export interface EventOutlet {
  /** Whether somebody wants one of the events. Never rejects: what cannot be known is taken for a yes. */
  wants(execution: Execution, events: readonly ExecutionEvent[]): Promise<boolean>;
  /** The seq up to which everybody took the execution's events, where this process knows better than the record. */
  relayedSeq(executionId: string): number | undefined;
  /** A commit is durable. */
  committed(handle: ExecutionHandle, events: readonly ExecutionEvent[]): void;
}

/** Nobody listens. */
export const NO_OUTLET: EventOutlet = { wants: async () => false, relayedSeq: () => undefined, committed: () => {} };

/** The relay's place of a new execution; nothing at all where nobody wants its first events. */
export async function placeOfNew(
  outlet: EventOutlet,
  execution: Execution,
  events: readonly ExecutionEvent[],
  now: number,
): Promise<RelayPlace> {
  return (await outlet.wants(execution, events)) ? { relayAt: now + NEW_GRACE_MS } : {};
}

export interface NextPlace {
  /** The record as it will be, but for this. */
  draft: Execution;
  /** The lastSeq the commit is based on. */
  before: number;
  events: readonly ExecutionEvent[];
  /** The commit gives the lease back. */
  isRelease: boolean;
  now: number;
}

/**
 * The relay's place as the next commit of a holder says it, so that handing on costs no write of its own.
 */
export async function placeOfNext(outlet: EventOutlet, { draft, before, events, isRelease, now }: NextPlace): Promise<RelayPlace> {
  const { relayAt = null } = draft;
  const relayed = Math.max(outlet.relayedSeq(draft.id) ?? 0, draft.relayedSeq ?? 0);
  const isBehind = relayAt !== null && relayed < before;
  const isWanted = events.length > 0 && (await outlet.wants(draft, events));
  // What came before was taken or not wanted: it need never be read again.
  const relayedSeq = isBehind ? relayed : before;
  if (!isBehind && !isWanted) return draft.relayAt === undefined ? {} : { relayedSeq: draft.lastSeq, relayAt: null };
  if (isRelease) return { relayedSeq, relayAt: now + RELEASED_GRACE_MS };
  // Moved rarely: it is an index entry.
  return { relayedSeq, relayAt: relayAt !== null && relayAt > now + HELD_MS / 2 ? relayAt : now + HELD_MS };
}
