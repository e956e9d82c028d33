import { TERMINAL_STATUSES, type Execution } from "../definition/execution.ts";
import type { Clock } from "../ports/clock.ts";
import type { WorkHint } from "../ports/queue.ts";
import type { ExecutionHandle, Store } from "../ports/store.ts";
import { absorb, nextWakeAt } from "./absorb.ts";
import type { Claim } from "./admission.ts";
import { expireListedWaits } from "./expire.ts";
import { upcast } from "./upcast.ts";

interface TakeUpOptions {
  /** The worker. */
  id: string;
  store: Store;
  clock: Clock;
  leaseMs: number;
  deadOwners: ReadonlySet<string>;
}

/** Reads what a hint is about, with its mail: a claim to be made, a record that rests until its `wakeAt`, or nothing to do. */
export function createTakeUp({ id, store, clock, leaseMs, deadOwners }: TakeUpOptions) {
  function isLeased({ owner, leaseUntil }: Execution): boolean {
    return owner !== null && owner !== id && !deadOwners.has(owner) && leaseUntil !== null && leaseUntil > clock.now();
  }

  return async (hint: WorkHint): Promise<{ claim: Claim } | { resting: ExecutionHandle } | undefined> => {
    const handle = hint.handle ?? (await store.executions.get(hint.tenant, hint.executionId));
    if (!handle || handle.execution.schema !== 1 || isLeased(handle.execution)) return undefined;
    const isNew = handle.execution.epoch === 0 && hint.handle !== undefined;
    const now = clock.now();
    const draft = upcast(handle.execution);
    // Before the mail is read: who answers in time is in it.
    const expired = await expireListedWaits(store, draft, now);
    const inbox = isNew ? [] : await store.inbox.list(hint.tenant, hint.executionId);
    if (TERMINAL_STATUSES.has(handle.execution.status) && inbox.length === 0) return undefined;
    const absorbed = absorb(draft, inbox, now, expired);
    const isNothing = absorbed.action === "rest" && absorbed.consumed.length === 0;
    if (isNothing && handle.execution.owner === null && handle.execution.wakeAt === nextWakeAt(draft)) return { resting: handle };
    Object.assign(draft, { epoch: draft.epoch + 1, owner: id, leaseUntil: now + leaseMs, idleClaims: draft.idleClaims + 1 });
    return { claim: { handle, draft, absorbed } };
  };
}
