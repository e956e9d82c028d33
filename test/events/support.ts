import { createLocalQueue } from "../../src/adapters/local/queue.ts";
import type { IncomingEvent } from "../../src/definition/received-event.ts";
import { createEvents, type EventObserver, type Events } from "../../src/events/events.ts";
import type { Clock } from "../../src/ports/clock.ts";
import { aProcess, type Process, type ProcessOptions } from "../triggers/support.ts";

const DAY_MS = 86_400_000;

/** What one process has of events; no worker runs, executions stay as they were started. */
export async function anEventProcess({
  clock,
  observer,
  ...options
}: ProcessOptions & { clock: Clock; observer?: EventObserver }): Promise<Process & { events: Events }> {
  const process = await aProcess({ clock, ...options });
  const { store, triggers } = process;
  const events = createEvents({
    store,
    queue: createLocalQueue(),
    triggers,
    clock,
    keepMs: 7 * DAY_MS,
    keepParkedMs: 31 * DAY_MS,
    maxBytes: 1_048_576,
    observer,
  });
  return { ...process, events };
}

export function paid(over: Partial<IncomingEvent> = {}): IncomingEvent {
  return { id: "1", source: "/shop", type: "shop.paid", data: { order: "4711" }, ...over };
}

/** A trigger that listens to `paid()`. */
export const onPaid = (more: object = {}) => ({ type: "event", config: { eventType: "shop.paid" }, ...more });
