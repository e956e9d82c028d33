import type { ExecutionEvent } from "../definition/event.ts";
import type { ExecutionHandle } from "../ports/store.ts";

/** Executions whose events wait in memory; the oldest is forgotten beyond that, and found in the store again. */
const MAX_PLACES = 5_000;
/** Events of one execution kept for its sinks; more are read again. */
const MAX_EVENTS = 500;

/** How far an execution's events were handed on by this process. */
export interface Place {
  readonly id: string;
  /** The record as last written or read. */
  handle: ExecutionHandle;
  /** Everybody took the events up to here. */
  cursor: number;
  /** How far single sinks are, where they are ahead of the others. */
  readonly taken: Map<string, number>;
  /** The newest events, so that they need not be read. */
  recent: ExecutionEvent[];
  isUnderWay: boolean;
  /** Something came while it was under way. */
  isWanted: boolean;
  /** Somebody did not take what was offered last. */
  isLate: boolean;
}

export interface Places {
  get(executionId: string): Place | undefined;
  /** The place of an execution, with its newest record and events. */
  of(handle: ExecutionHandle, events?: readonly ExecutionEvent[]): Place;
  /** Those that wait to be tried again. */
  late(): Place[];
  forget(place: Place): void;
}

export function createPlaces(): Places {
  const places = new Map<string, Place>();

  function open(handle: ExecutionHandle): Place {
    for (const [id, old] of places) {
      if (places.size < MAX_PLACES) break;
      if (!old.isUnderWay) places.delete(id);
    }
    const { id, relayedSeq = 0 } = handle.execution;
    const place: Place = {
      id,
      handle,
      cursor: relayedSeq,
      taken: new Map(),
      recent: [],
      isUnderWay: false,
      isWanted: false,
      isLate: false,
    };
    places.set(id, place);
    return place;
  }

  return {
    get: (executionId) => places.get(executionId),
    of(handle, events = []) {
      const { id, relayedSeq = 0 } = handle.execution;
      const place = places.get(id) ?? open(handle);
      place.handle = handle;
      place.cursor = Math.max(place.cursor, relayedSeq);
      place.recent = place.recent.length + events.length > MAX_EVENTS ? [...events] : [...place.recent, ...events];
      return place;
    },
    late: () => [...places.values()].filter(({ isLate }) => isLate),
    forget: ({ id }) => void places.delete(id),
  };
}
