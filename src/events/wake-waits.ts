import type { InboxMessage } from "../definition/execution.ts";
import { topicOf, type EventWake, type ReceivedEvent } from "../definition/received-event.ts";
import type { OpenWait } from "../definition/wait.ts";
import { awaits } from "../executor/event-wait.ts";
import { deliveryOf } from "../executor/look-back.ts";
import { isoTime, type Clock } from "../ports/clock.ts";
import { createLatest } from "../triggers/latest.ts";
import type { Queue } from "../ports/queue.ts";
import type { Store } from "../ports/store.ts";

const PAGE = 200;
/** Executions that are written to side by side. */
const AT_ONCE = 16;
/** Woken executions that a receipt names. */
const MAX_NAMED = 100;

interface WakeOptions {
  store: Store;
  queue: Queue;
  clock: Clock;
}

/**
 * Delivers an event, which is in the store by now, to every step of the tenant that waits for it: by its type, and by its type and
 * subject. Each is sent a message that is the same on every try, so doing it again delivers nothing twice. Events of one type that
 * come together are looked up together: a query for each would be what a flood of them keeps the store busy with.
 */
export function createWakeWaits({ store, queue, clock }: WakeOptions) {
  const firstPage = createLatest(async (key) => {
    const [tenant, topic] = JSON.parse(key) as [string, string]; // as `waitsFor` made it
    return await store.waits.onTopic(tenant, topic, { limit: PAGE });
  });

  async function deliver(received: ReceivedEvent, wait: OpenWait): Promise<EventWake> {
    const { tenant } = received;
    const { executionId, workflowId, stepId } = wait;
    const { id, event, data, delivery } = deliveryOf(received, wait);
    const message: InboxMessage = {
      id,
      tenant,
      executionId,
      at: isoTime(clock),
      principal: `event:${received.event.source}`.slice(0, 255),
      body: { type: "signal", event, data, eventId: id, delivery },
    };
    await store.inbox.send(message);
    await queue.enqueue({ tenant, executionId });
    return { workflowId, executionId, stepId };
  }

  async function* waitsFor({ tenant, event: { type, subject } }: ReceivedEvent): AsyncIterable<OpenWait[]> {
    const topics = subject === undefined ? [topicOf(type)] : [topicOf(type), topicOf(type, subject)];
    for (const topic of topics) {
      let page = await firstPage(JSON.stringify([tenant, topic]));
      yield page;
      while (page.length === PAGE) {
        page = await store.waits.onTopic(tenant, topic, { afterId: page.at(-1)?.id, limit: PAGE });
        yield page;
      }
    }
  }

  return async (received: ReceivedEvent, { isReplayed = false }: { isReplayed?: boolean } = {}): Promise<EventWake[]> => {
    const woken: EventWake[] = [];
    for await (const page of waitsFor(received)) {
      const waiting = page.filter((wait) => awaits(wait, received, { isReplayed }));
      for (let from = 0; from < waiting.length; from += AT_ONCE) {
        const some = waiting.slice(from, from + AT_ONCE);
        woken.push(...(await Promise.all(some.map(async (wait) => await deliver(received, wait)))));
      }
    }
    return woken.slice(0, MAX_NAMED);
  };
}
