import type { Firestore } from "@google-cloud/firestore";
import type { ExecutionEvent } from "../../definition/event.ts";
import type { EventStore } from "../../ports/store.ts";
import type { Call } from "./caller.ts";
import { inChunks } from "./chunk.ts";
import { orderedId } from "./document-id.ts";
import { readEventPage } from "./event-page.ts";
import type { EventWatch } from "./event-watch.ts";
import type { Places } from "./places.ts";
import { QUERIES, queryOf } from "./queries.ts";
import { readValues } from "./values.ts";

const PAGES_AT_ONCE = 50;

interface EventsOptions {
  firestore: Firestore;
  call: Call;
  places: Places;
  watch: EventWatch;
}

export function createEvents({ firestore, call, places, watch }: EventsOptions): EventStore {
  async function after(tenant: string, executionId: string, afterSeq: number, limit: number): Promise<ExecutionEvent[]> {
    const found: ExecutionEvent[] = [];
    let last = orderedId(afterSeq);
    while (found.length < limit) {
      const pages = Math.min(limit - found.length, PAGES_AT_ONCE);
      const from = last;
      const { docs } = await call(
        async () => await queryOf(QUERIES.events, places.events(tenant, executionId), { values: [from], limit: pages }).get(),
      );
      for (const page of await Promise.all(docs.map(readEventPage))) found.push(...page.filter((event) => event.seq > afterSeq));
      const end = docs.at(-1);
      if (!end || docs.length < pages) break;
      last = end.id;
    }
    return found.slice(0, limit);
  }

  /** Seqs have no gap, so the newest `limit` before one are those after `beforeSeq - 1 - limit`. */
  async function before(tenant: string, executionId: string, beforeSeq: number, limit: number): Promise<ExecutionEvent[]> {
    const end = Math.min(beforeSeq, (await lastSeq(tenant, executionId)) + 1);
    const found = await after(tenant, executionId, Math.max(0, end - 1 - limit), limit);
    return found.filter((event) => event.seq < end);
  }

  async function lastSeq(tenant: string, executionId: string): Promise<number> {
    const snapshot = await call(async () => await places.execution(tenant, executionId).get());
    const seq: unknown = snapshot.get("lastSeq");
    return typeof seq === "number" ? seq : 0;
  }

  return {
    after,
    before,
    async pagesOf(tenant, executionIds, page) {
      return new Map(
        await inChunks(executionIds, 20, async (some) =>
          Promise.all(
            some.map(async (id): Promise<[string, ExecutionEvent[]]> => {
              const events =
                "afterSeq" in page ? after(tenant, id, page.afterSeq, page.limit) : before(tenant, id, page.beforeSeq, page.limit);
              return [id, await events];
            }),
          ),
        ),
      );
    },
    watch: (tenant, executionId, onChange) => watch.watch(tenant, executionId, onChange),
    values: async (tenant, executionId, refs) =>
      await call(async () => await readValues(firestore, places.values(tenant, executionId), refs)),
  };
}
