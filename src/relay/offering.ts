import type { ExecutionEvent } from "../definition/event.ts";
import type { Execution } from "../definition/execution.ts";
import type { Clock } from "../ports/clock.ts";
import type { Place } from "./places.ts";
import type { EventSink, RelayObserver } from "./sink.ts";

/** Failures in a row after which a sink is left alone for a while; one execution's own trouble must not stop the others'. */
const AWAY_AFTER = 3;
const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 10_000;

interface OfferingOptions {
  sinks: readonly EventSink[];
  clock: Clock;
  observer?: RelayObserver | undefined;
  log(message: string, fields: Record<string, unknown>): void;
  /** A sink that was away takes events again. */
  onBack(): void;
}

/** Offers events to every sink; one that is away stops none of the others. */
export function createOffering({ sinks, clock, observer, log, onBack }: OfferingOptions) {
  const failures = new Map<EventSink, { count: number; until: number }>();

  function failed(sink: EventSink, error: unknown): void {
    observer?.failed(sink.name);
    // Offers that were under way together failed together: that is one failure.
    if ((failures.get(sink)?.until ?? 0) > clock.now()) return;
    const count = (failures.get(sink)?.count ?? 0) + 1;
    const pauseMs = Math.min(FIRST_PAUSE_MS * 2 ** Math.max(0, count - AWAY_AFTER), LONGEST_PAUSE_MS);
    failures.set(sink, { count, until: count < AWAY_AFTER ? 0 : clock.now() + pauseMs * (0.5 + Math.random() / 2) });
    if (count === AWAY_AFTER)
      log("events wait: nobody takes them", { sink: sink.name, error: error instanceof Error ? error.message : String(error) });
  }

  function worked(sink: EventSink): void {
    const { count = 0 } = failures.get(sink) ?? {};
    if (count === 0) return;
    failures.delete(sink);
    if (count < AWAY_AFTER) return;
    log("events are taken again", { sink: sink.name });
    onBack();
  }

  /** True where the sink has the events now. */
  async function offerTo(sink: EventSink, execution: Execution, place: Place, events: readonly ExecutionEvent[]): Promise<boolean> {
    const from = place.taken.get(sink.name) ?? 0;
    const wanted: ExecutionEvent[] = [];
    try {
      for (const event of events) if (event.seq > from && (await sink.wants(execution, event))) wanted.push(event);
      if (wanted.length > 0) {
        if ((failures.get(sink)?.until ?? 0) > clock.now()) return false;
        await sink.take(execution, wanted);
        worked(sink);
        for (const { at } of wanted) observer?.taken(sink.name, Math.max(0, clock.now() - Date.parse(at)) / 1_000);
      }
    } catch (error) {
      failed(sink, error);
      return false;
    }
    place.taken.set(sink.name, Math.max(from, events.at(-1)?.seq ?? 0));
    return true;
  }

  return {
    async wants(execution: Execution, events: readonly ExecutionEvent[]): Promise<boolean> {
      for (const sink of sinks) {
        for (const event of events) {
          try {
            const answer = sink.wants(execution, event);
            if (answer === true || (answer !== false && (await answer))) return true;
          } catch {
            return true; // nobody can say now: whoever hands on asks again
          }
        }
      }
      return false;
    },

    /** Whether a sink has not taken what it was offered last. */
    isAnyFailing: () => failures.size > 0,

    /** Offers them to every sink that has not taken them; true where all have. */
    async offer(execution: Execution, place: Place, events: readonly ExecutionEvent[]): Promise<boolean> {
      const taken = await Promise.all(sinks.map((sink) => offerTo(sink, execution, place, events)));
      return taken.every(Boolean);
    },
  };
}
