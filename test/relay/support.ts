import { openStore } from "../../src/adapters/open.ts";
import type { ExecutionEvent } from "../../src/definition/event.ts";
import type { Clock } from "../../src/ports/clock.ts";
import type { Store } from "../../src/ports/store.ts";
import { createRelay, type Relay } from "../../src/relay/relay.ts";
import type { EventSink } from "../../src/relay/sink.ts";
import { anExecution, commitOn, someEvents } from "../contract/store/fixtures.ts";

/** A sink that writes down what it takes, and takes nothing while `isAway`. */
export interface RecordingSink extends EventSink {
  taken: { id: string; seq: number }[];
  offers: number;
  isAway: boolean;
  /** How many events of the next offers arrive although the offer fails; undefined: all work. */
  cutAfter: (() => number | undefined) | undefined;
}

export function recordingSink(name = "test", wants: (event: ExecutionEvent) => boolean = () => true): RecordingSink {
  const sink: RecordingSink = {
    name,
    taken: [],
    offers: 0,
    isAway: false,
    cutAfter: undefined,
    wants: (_execution, event) => wants(event),
    async take({ id }, events) {
      sink.offers += 1;
      await Promise.resolve();
      if (sink.isAway) throw new Error("away");
      const cut = sink.cutAfter?.();
      sink.taken.push(...events.slice(0, cut).map(({ seq }) => ({ id, seq })));
      if (cut !== undefined) throw new Error("broke off");
    },
  };
  return sink;
}

export const openMemory = async (clock: Clock): Promise<Store> => await openStore("sqlite::memory:", { ownerId: "test", clock });

/** A relay as a process of its own has it. */
export function aRelay(store: Store, clock: Clock, sinks: readonly EventSink[]): Relay {
  return createRelay({ store, sinks, clock, handsOn: true, everyMs: 5_000, log: () => {} });
}

/** An execution that ended with `lastSeq` events nobody handed on, due at `relayAt`. */
export async function ended(store: Store, id: string, { lastSeq, relayAt }: { lastSeq: number; relayAt: number }): Promise<void> {
  const first = await store.executions.create(anExecution({ tenant: "t", id, relayAt }), someEvents(1, 1));
  await store.executions.commit(commitOn(first, { lastSeq, status: "COMPLETED", wakeAt: null }));
}

/** The seqs of an execution in the order they first came. */
export function firsts(taken: readonly { id: string; seq: number }[], id: string): number[] {
  return [...new Set(taken.filter((one) => one.id === id).map(({ seq }) => seq))];
}

export const upTo = (n: number): number[] => Array.from({ length: n }, (_, index) => index + 1);
