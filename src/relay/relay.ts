import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution } from "../definition/execution.ts";
import type { Clock } from "../ports/clock.ts";
import type { ExecutionHandle, ExecutionRef, Store } from "../ports/store.ts";
import type { EventOutlet } from "./outlet.ts";
import { createOffering } from "./offering.ts";
import { createPlaces, type Place } from "./places.ts";
import type { EventSink, RelayObserver } from "./sink.ts";

/** Events handed on at once. */
const BATCH = 200;
/** Executions whose events are handed on side by side. */
const AT_ONCE = 64;
/** Rows per look. */
const DUE_BATCH = 100;
/** How long a look that found something away leaves an execution alone: as long as it was behind already, within these, milliseconds. */
const SHORTEST_PAUSE_MS = 5_000;
const LONGEST_PAUSE_MS = 5 * 60_000;
/** How often events that nobody took are offered again by the process that holds their execution, milliseconds. */
const RETRY_MS = 1_000;
/** How long the end waits for what is under way, milliseconds. */
const STOP_MS = 3_000;

export interface Relay extends EventOutlet {
  /** Looks once for events that nobody handed on; `aheadMs` also takes up what was put off until then. */
  sweep(aheadMs?: number): Promise<void>;
  /** Resolves when nothing is under way. */
  idle(): Promise<void>;
  stop(): Promise<void>;
}

export interface RelayOptions {
  store: Store;
  sinks: readonly EventSink[];
  clock: Clock;
  /** False in a process that runs no executions: it only says who wants what. */
  handsOn: boolean;
  /** How often it looks for what was left behind, milliseconds. */
  everyMs: number;
  observer?: RelayObserver | undefined;
  log(message: string, fields: Record<string, unknown>): void;
}

/**
 * Hands the events of executions on to whoever wants them, at least once, each execution's in the order of `seq`. The history is the
 * outbox: an event is there because it was committed, and the record says how far it was handed on.
 *
 * Order: a relay of an execution begins at most one after a seq that everybody has, and goes on without a gap, each event after the
 * one before was taken. So the first copy of n + 1 comes after a copy of n, however many relays overlap, crash and begin again.
 */
export function createRelay({ store, sinks, clock, handsOn, everyMs, observer, log }: RelayOptions): Relay {
  const places = createPlaces();
  const running = new Set<Promise<void>>();
  const queued: Place[] = [];
  const offering = createOffering({ sinks, clock, observer, log, onBack: () => void sweep(LONGEST_PAUSE_MS) });
  let isStopped = !handsOn;
  let cancelNext = () => {};
  let cancelRetry: (() => void) | undefined;
  let sweeping: Promise<void> | undefined;

  /** One relay of an execution at a time in this process; what comes meanwhile is seen by it. */
  function begin(place: Place): void {
    if (place.isUnderWay || isStopped) return void (place.isWanted = true);
    place.isUnderWay = true;
    if (running.size >= AT_ONCE) queued.push(place);
    else start(place);
  }

  function start(place: Place): void {
    place.isWanted = false;
    const work = handOn(place)
      .catch((error: unknown) => {
        place.isLate = true;
        log("events were not handed on", { executionId: place.id, error: error instanceof Error ? error.message : String(error) });
      })
      .finally(() => {
        running.delete(work);
        place.isUnderWay = false;
        if (place.isWanted) begin(place);
        if (place.isLate) retryHeld();
        if (running.size < AT_ONCE) startNext();
      });
    running.add(work);
  }

  function startNext(): void {
    const next = queued.shift();
    if (next) start(next);
  }

  async function handOn(place: Place): Promise<void> {
    place.isLate = false;
    for (;;) {
      const { handle } = place;
      const { execution } = handle;
      if (place.cursor < execution.lastSeq) {
        const events = await eventsAfter(place, execution);
        if (!(await offering.offer(execution, place, events))) {
          // Read again when they are taken: an outage must not fill the memory.
          Object.assign(place, { isLate: true, recent: [] });
          return;
        }
        place.cursor = events.at(-1)?.seq ?? execution.lastSeq;
        place.recent = place.recent.filter(({ seq }) => seq > place.cursor);
        continue;
      }
      // The holder's next commit says how far this came, at no cost.
      if (execution.owner !== null) return;
      // A record that says there is nothing to do needs no word that it is done.
      if (typeof execution.relayAt === "number") {
        await store.executions.markRelayed(handle, { relayedSeq: place.cursor, relayAt: null });
      }
      if (place.handle === handle) places.forget(place);
      return;
    }
  }

  async function eventsAfter({ cursor, recent }: Place, { tenant, id, lastSeq }: Execution): Promise<ExecutionEvent[]> {
    const known = recent.filter(({ seq }) => seq > cursor && seq <= lastSeq);
    const isWhole = known[0]?.seq === cursor + 1 && known.every(({ seq }, index) => seq === cursor + 1 + index);
    return isWhole ? known.slice(0, BATCH) : await store.events.after(tenant, id, cursor, BATCH);
  }

  /**
   * Held executions are nobody else's: what their sinks did not take is offered again here. Of the others, which sweeps take up when
   * their time comes, one is, to learn at once that a sink is back.
   */
  function retryHeld(): void {
    if (isStopped) return;
    cancelRetry ??= clock.after(RETRY_MS, () => {
      cancelRetry = undefined;
      const late = places.late();
      const isFree = ({ handle }: Place): boolean => handle.execution.owner === null;
      const probe = offering.isAnyFailing() ? late.find(isFree) : undefined;
      for (const place of late) {
        if (place === probe || !isFree(place)) begin(place);
        else if (!probe) places.forget(place);
      }
    });
  }

  /** Takes up one execution that was left behind: first come first served, so that pods that look at once do not all hand it on. */
  async function takeUp({ tenant, id }: ExecutionRef, before: number): Promise<void> {
    if (places.get(id)?.isUnderWay) return;
    const handle = await store.executions.get(tenant, id);
    if (!handle || handle.execution.owner !== null || (handle.execution.relayAt ?? Infinity) > before) return;
    const { relayedSeq, updatedAt } = handle.execution;
    const now = clock.now();
    const pauseMs = Math.min(Math.max(now - Date.parse(updatedAt), SHORTEST_PAUSE_MS), LONGEST_PAUSE_MS);
    const relayAt = Math.round(now + pauseMs * (0.8 + Math.random() * 0.4));
    const taken = await store.executions.markRelayed(handle, { relayedSeq, relayAt });
    if (!taken) return;
    const place = places.of(taken);
    if (place.isUnderWay) return;
    begin(place);
    await idleOf(place);
  }

  async function idleOf(place: Place): Promise<void> {
    while (place.isUnderWay && !isStopped) await (running.size > 0 ? Promise.race(running) : Promise.resolve());
  }

  async function look(aheadMs: number): Promise<void> {
    const seen = new Set<string>();
    for (;;) {
      const before = clock.now() + aheadMs;
      const due = await store.executions.relayDue(before, DUE_BATCH);
      const fresh = due.filter(({ id }) => !seen.has(id));
      for (const { id } of fresh) seen.add(id);
      for (let from = 0; from < fresh.length; from += AT_ONCE) {
        await Promise.all(fresh.slice(from, from + AT_ONCE).map((ref) => takeUp(ref, before)));
      }
      if (isStopped || due.length < DUE_BATCH || fresh.length === 0) return;
    }
  }

  function sweep(aheadMs = 0): Promise<void> {
    if (isStopped) return Promise.resolve();
    const turn = (sweeping ?? Promise.resolve())
      .then(() => look(aheadMs))
      .catch((error: unknown) => log("relay sweep failed", { error: error instanceof Error ? error.message : String(error) }))
      .finally(() => {
        if (sweeping === turn) sweeping = undefined;
      });
    sweeping = turn;
    return turn;
  }

  function again(): void {
    cancelNext = clock.after(everyMs * (0.8 + Math.random() * 0.4), () => void sweep().then(() => !isStopped && again()));
  }

  if (handsOn) again();
  return {
    wants: offering.wants,
    relayedSeq: (executionId) => places.get(executionId)?.cursor,
    committed(handle: ExecutionHandle, events) {
      const { execution } = handle;
      if (isStopped || (typeof execution.relayAt !== "number" && !places.get(execution.id))) return;
      const place = places.of(handle, events);
      // A new execution is somebody's in a moment: its first event goes with the next ones, or is found by the sweep.
      if (execution.epoch > 0) begin(place);
    },
    sweep,
    async idle() {
      while (running.size > 0 || sweeping) await Promise.all([...running, sweeping]);
    },
    async stop() {
      isStopped = true;
      cancelNext();
      cancelRetry?.();
      let cancel = () => {};
      const late = new Promise<void>((resolve) => (cancel = clock.after(STOP_MS, resolve)));
      await Promise.race([Promise.all([...running, sweeping]), late]);
      cancel();
    },
  };
}
