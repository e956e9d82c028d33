import type { Execution, EventDelivery, SignalMessage } from "../definition/execution.ts";
import type { Cursor } from "../definition/page.ts";
import type { ReceivedEvent } from "../definition/received-event.ts";
import type { OpenWait, Wait } from "../definition/wait.ts";
import type { Store } from "../ports/store.ts";
import type { Session } from "./session.ts";
import { awaits, openTenantWait, tenantWaitOf } from "./event-wait.ts";

const PAGE = 100;
/** Events an execution remembers to have taken. */
const MAX_TAKEN = 200;

/**
 * What came for waiting steps before they waited; each is looked at once, after the commit that says that it waits. A crash in between
 * leaves that to whoever holds the execution next.
 */
export async function findEarlier(
  { draft, signal, flush }: Pick<Session, "draft" | "signal" | "flush">,
  store: Store,
): Promise<SignalMessage[]> {
  const unseen = draft.waits.filter((wait) => wait.answer === null && wait.isLookedBack !== true && tenantWaitOf(draft, wait));
  if (unseen.length === 0 || signal.aborted) return [];
  await flush();
  const found: SignalMessage[] = [];
  for (const wait of unseen) {
    const message = await lookBack(store, draft, wait);
    if (message) found.push(message);
    wait.isLookedBack = true;
  }
  return found;
}

/**
 * The oldest event that came before the step began to wait and is what it waits for. Whoever takes events in writes the event and then
 * looks for waits; the holder writes the wait and then looks here. One of the two sees the other, whatever the order.
 */
async function lookBack(store: Store, execution: Execution, wait: Wait): Promise<SignalMessage | undefined> {
  const wanted = tenantWaitOf(execution, wait);
  if (!wanted) return undefined;
  const { floor } = execution.taken ?? { floor: null };
  const since = floor !== null && floor > wanted.since ? floor : wanted.since;
  const { request } = openTenantWait(wanted);
  let after: Cursor | undefined;
  for (;;) {
    const page = await store.received.since(execution.tenant, wanted, { since, after, limit: PAGE });
    const found = page.find((received) => awaits({ request }, received) && !isTaken(execution, wait, received.id));
    if (found) return deliveryOf(found, wait);
    const last = page.at(-1);
    // A page may be short because some of it has expired: only an empty one is the end.
    if (!last) return undefined;
    after = { at: last.receivedAt, id: last.id };
  }
}

/** An event of the tenant as a message for the execution that waits for it. */
export function deliveryOf(
  { id, event, receivedAt }: ReceivedEvent,
  wait: Pick<OpenWait, "id">,
): SignalMessage & { delivery: EventDelivery } {
  return {
    // The same on every try: what was delivered once is not delivered again.
    id: `event-${id}-${wait.id}`,
    event: event.type,
    data: event.data,
    at: event.time ?? receivedAt,
    delivery: { waitId: wait.id, receivedId: id, receivedAt, source: event.source, eventId: event.id },
  };
}

/** A place takes an event once, however often it is entered again. */
export function isTaken({ taken }: Execution, { path }: Pick<Wait, "path">, receivedId: string): boolean {
  return taken?.newest.some(({ key }) => key === `${receivedId}:${path}`) === true;
}

export function rememberTaken(draft: Execution, { path }: Wait, { receivedId, receivedAt }: EventDelivery): void {
  const { newest, floor } = draft.taken ?? { newest: [], floor: null };
  const all = [...newest, { key: `${receivedId}:${path}`, receivedAt }];
  const forgotten = all.slice(0, -MAX_TAKEN).map((entry) => entry.receivedAt);
  draft.taken = { newest: all.slice(-MAX_TAKEN), floor: [...forgotten, ...(floor === null ? [] : [floor])].toSorted().at(-1) ?? null };
}
