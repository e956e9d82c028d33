import type { TimedDraft } from "../compiler/host.ts";
import type { Decision } from "../definition/decision.ts";
import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution, InboxMessage, NewExecution, Permit } from "../definition/execution.ts";
import type { MemoryAppend } from "../definition/memory.ts";
import type { OpenWait } from "../definition/wait.ts";
import { toSignalboxError, type SignalboxError } from "../errors.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import { placeOfNext, type EventOutlet } from "../relay/outlet.ts";
import type { PlaceInLine } from "../ports/limits.ts";
import type { CheckpointPut, CheckpointWrites, ExecutionCommit, ExecutionHandle, ExecutionRef, Store } from "../ports/store.ts";
import { emptyParts } from "./empty-commit.ts";

/** What the next commit will write beside the record. */
export interface Changes {
  drafts: TimedDraft[];
  checkpoints: CheckpointPut[];
  writes: CheckpointWrites[];
  decisions: Decision[];
  openWaits: OpenWait[];
  closeWaits: ExecutionCommit["closeWaits"];
  remindedWaits: ExecutionCommit["remindedWaits"];
  consumed: string[];
  values: ExecutionCommit["values"];
  sends: InboxMessage[];
  starts: NewExecution[];
  memories: MemoryAppend[];
  /** Permits given back. */
  given: Permit[];
  /** The line it leaves. */
  left: Pick<PlaceInLine, "limit" | "rank">[];
}

export interface Committer {
  readonly pending: Changes;
  readonly handle: ExecutionHandle;
  /** Commits what is pending, after whatever commits are under way; calls made meanwhile share one commit. */
  flush(): Promise<void>;
  /** The last commit: with what is pending, gives the lease back. `wakeAt` says when somebody should look again. */
  release(wakeAt: number | null): Promise<ExecutionHandle>;
  close(): void;
}

interface CommitterOptions {
  store: Store;
  clock: Clock;
  leaseMs: number;
  handle: ExecutionHandle;
  /** Mutated by the session; snapshotted by every commit. */
  draft: Execution;
  outlet: EventOutlet;
  onLost(error: SignalboxError): void;
  /** Other executions were started or have mail: it is durable. */
  onOthers(executions: ExecutionRef[]): void;
}

const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 2_000;

/** One writer per execution: numbers events, guards by what it wrote last, renews the lease, and beats when nothing else does. */
export function createCommitter({ store, clock, leaseMs, handle: first, draft, outlet, onLost, onOthers }: CommitterOptions): Committer {
  let handle = first;
  let pending = emptyChanges();
  let tail: Promise<void> = Promise.resolve();
  let waiting: Promise<void> | undefined;
  let released = false;
  let lost: SignalboxError | undefined;
  let lastCommitAt = clock.now();
  let stopBeat = clock.after(leaseMs / 3, beat);

  function beat(): void {
    if (released || lost) return;
    stopBeat = clock.after(leaseMs / 3, beat);
    // A heartbeat that fails is retried by itself and aborts the session when the lease is gone.
    if (clock.now() - lastCommitAt >= leaseMs / 3 - 10) void enqueue(true).catch(() => {});
  }

  function enqueue(always: boolean, wakeAt?: number | null): Promise<void> {
    if (waiting && wakeAt === undefined) return waiting;
    const turn: Promise<void> = tail.then(async () => {
      if (waiting === turn) waiting = undefined;
      await commit(always, wakeAt);
    });
    if (wakeAt === undefined) waiting = turn;
    // The chain itself never breaks: each caller awaits its own turn.
    tail = turn.catch(() => {});
    return turn;
  }

  async function commit(always: boolean, wakeAt: number | null | undefined): Promise<void> {
    if (lost) throw lost;
    if (released) return;
    const changes = pending;
    const isRelease = wakeAt !== undefined;
    if (!always && !isRelease && isEmpty(changes)) return;
    pending = emptyChanges();
    const { execution } = handle;
    const leaseUntil = clock.now() + leaseMs;
    if (changes.checkpoints.length > 0) draft.idleClaims = 0;
    // Who gives it back in order was not killed by it: only claims that end in silence count.
    else if (isRelease) draft.idleClaims = Math.max(0, draft.idleClaims - 1);
    draft.lastSeq = execution.lastSeq + changes.drafts.length;
    draft.updatedAt = isoTime(clock);
    if (isRelease) Object.assign(draft, { owner: null, leaseUntil: null, wakeAt });
    else Object.assign(draft, { leaseUntil, wakeAt: leaseUntil });
    const { drafts, given, left, ...rest } = changes;
    const isLimitChanged = given.length > 0 || left.length > 0;
    const request: ExecutionCommit = {
      guard: { epoch: execution.epoch, lastSeq: execution.lastSeq, token: handle.token },
      execution: {
        ...draft,
        waits: structuredClone(draft.waits),
        inFlight: { ...draft.inFlight },
        checkpoints: { ...draft.checkpoints },
        mailbox: [...draft.mailbox],
        compensations: [...draft.compensations],
        usage: { ...draft.usage },
      },
      events: number(drafts, execution.lastSeq),
      ...rest,
      ...(isLimitChanged ? { limits: { take: [], give: given, join: null, leave: left[0] ?? null } } : {}),
    };
    const place = { draft: request.execution, before: execution.lastSeq, events: request.events, isRelease, now: clock.now() };
    const relay = await placeOfNext(outlet, place);
    Object.assign(request.execution, relay);
    Object.assign(draft, relay);
    try {
      handle = await persist(request);
    } catch (thrown) {
      lost = toSignalboxError(thrown);
      onLost(lost);
      throw lost;
    }
    outlet.committed(handle, request.events);
    lastCommitAt = clock.now();
    const others = [
      ...changes.starts.map(({ execution: { tenant, id } }) => ({ tenant, id })),
      ...changes.sends.map(({ tenant, executionId: id }) => ({ tenant, id })),
    ];
    if (others.length > 0) onOthers(others);
    if (isRelease) released = true;
  }

  /**
   * Retries while the store cannot be reached and the lease may still be ours. Safe, because a commit that was applied although
   * its answer got lost is recognised by its guard (`reliability.md` M1).
   */
  async function persist(request: ExecutionCommit): Promise<ExecutionHandle> {
    const until = (handle.execution.leaseUntil ?? clock.now()) + leaseMs;
    for (let delay = FIRST_RETRY_MS; ; delay = Math.min(delay * 2, LONGEST_RETRY_MS)) {
      try {
        return await store.executions.commit(request);
      } catch (thrown) {
        const error = toSignalboxError(thrown);
        if (error.code !== "UNAVAILABLE" || clock.now() + delay > until) throw error;
        await new Promise<void>((resolve) => clock.after(delay * (0.5 + Math.random() / 2), resolve));
      }
    }
  }

  return {
    get pending() {
      return pending;
    },
    get handle() {
      return handle;
    },
    flush: () => enqueue(false),
    async release(wakeAt) {
      await enqueue(true, wakeAt);
      stopBeat();
      return handle;
    },
    close: () => stopBeat(),
  };
}

function number(drafts: TimedDraft[], lastSeq: number): ExecutionEvent[] {
  return drafts.map((draft, index) => ({ seq: lastSeq + index + 1, ...draft }));
}

function emptyChanges(): Changes {
  return {
    drafts: [],
    ...emptyParts(),
    given: [],
    left: [],
  };
}

function isEmpty(changes: Changes): boolean {
  return Object.values(changes).every((list: unknown[]) => list.length === 0);
}
