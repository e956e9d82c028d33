import type { ReceivedEvent, TriggerOutcome } from "../definition/received-event.ts";
import type { ReceivedEventQuery, ReceivedEventStore } from "../ports/inbound-store.ts";
import type { EventIngest, RefireOptions } from "./ingest.ts";

/** What firing one stored event again did, or would do. */
export interface ReplayedEvent {
  id: string;
  eventId: string;
  source: string;
  type: string;
  receivedAt: string;
  outcomes: TriggerOutcome[];
  /** Waiting steps it was delivered to; nobody can tell beforehand. */
  woken: number;
}

export interface Replay {
  dryRun: boolean;
  events: ReplayedEvent[];
  /** Executions that were started, or in a dry run would be. */
  starts: number;
  /** Present while older events follow. */
  nextPageToken?: string | undefined;
}

/**
 * Fires one page of stored events again: pages go from the newest to the oldest, what is in a page is fired oldest first. What had
 * started for an event does not start again, so a page that broke off half-way is simply asked for again.
 */
export async function replayPage(
  { store, ingest }: { store: ReceivedEventStore; ingest: EventIngest },
  tenant: string,
  query: ReceivedEventQuery,
  { dryRun, ...options }: RefireOptions & { dryRun: boolean },
): Promise<Replay> {
  const { items, nextPageToken } = await store.list(tenant, query);
  const events: ReplayedEvent[] = [];
  for (const stored of items.toReversed()) events.push(await replayOne(ingest, stored, { dryRun, ...options }));
  const starts = events.flatMap(({ outcomes }) => outcomes).filter(({ status }) => status === "STARTED").length;
  return { dryRun, events, starts, ...(nextPageToken !== undefined && { nextPageToken }) };
}

async function replayOne(
  ingest: EventIngest,
  stored: ReceivedEvent,
  { dryRun, ...options }: RefireOptions & { dryRun: boolean },
): Promise<ReplayedEvent> {
  const { id, event, receivedAt } = stored;
  const done = dryRun ? { outcomes: await ingest.explain(stored, options), woken: [] } : await ingest.refire(stored, options);
  return { id, eventId: event.id, source: event.source, type: event.type, receivedAt, outcomes: done.outcomes, woken: done.woken.length };
}
