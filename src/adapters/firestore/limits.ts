import type { DocumentSnapshot, Firestore } from "@google-cloud/firestore";
import type { Permit } from "../../definition/execution.ts";
import { SignalboxError } from "../../errors.ts";
import type { LimitChanges, LimitStore, PlaceInLine } from "../../ports/limits.ts";
import type { Call } from "./caller.ts";
import { inChunks } from "./chunk.ts";
import type { DocumentWrite } from "./document-write.ts";
import { documentId, orderedId } from "./document-id.ts";
import type { Places } from "./places.ts";
import { QUERIES, queryOf } from "./queries.ts";

/** Ranks are epoch milliseconds, some of them before 1970: shifted so that their order is that of their document ids. */
const RANK_OFFSET = 10 ** 11;

export function createLimits({ call, places }: { call: Call; places: Places }): LimitStore {
  async function count(tenant: string, limit: string): Promise<{ taken: number; waiting: number }> {
    const [taken, waiting] = await Promise.all(
      [
        queryOf(QUERIES.permitsOf, places.permits(tenant, limit), { values: [] }),
        queryOf(QUERIES.lineOf, places.line(tenant, limit), { values: [] }),
      ].map(async (query) => (await call(async () => await query.count().get())).data().count),
    );
    return { taken: taken ?? 0, waiting: waiting ?? 0 };
  }

  return {
    async look(tenant, limit, length) {
      const permits = queryOf(QUERIES.permitsOf, places.permits(tenant, limit), { values: [] });
      const line = queryOf(QUERIES.lineOf, places.line(tenant, limit), { values: [], limit: length });
      const [taken, waiting] = await Promise.all([call(async () => await permits.get()), call(async () => await line.get())]);
      return {
        taken: taken.docs.map((snapshot) => Number(snapshot.id)),
        line: waiting.docs.map((snapshot) => ({
          executionId: String(snapshot.get("executionId")),
          rank: Number(snapshot.get("rank")),
          until: Number(snapshot.get("until")),
        })),
      };
    },

    // A limit has no document of its own: it is there as long as something is below it.
    async list(tenant, limit) {
      const found = await call(async () => await places.limits(tenant).listDocuments());
      const names = found
        .map(({ id }) => decodeURIComponent(id))
        .toSorted()
        .slice(0, limit);
      return await inChunks(names, 20, async (some) => {
        return await Promise.all(some.map(async (name) => ({ limit: name, ...(await count(tenant, name)) })));
      });
    },
  };
}

/** Permits as documents whose creation fails where they are there. */
export function takenPermits(places: Places, tenant: string, executionId: string, permits: readonly Permit[]): DocumentWrite[] {
  return permits.map(({ limit, number }) => ({
    kind: "create",
    ref: places.permits(tenant, limit).doc(orderedId(number)),
    data: { executionId },
    bytes: 0,
  }));
}

/** All that changes under limits but the permits that are taken. */
export function limitWrites(places: Places, tenant: string, executionId: string, { give, join, leave }: LimitChanges): DocumentWrite[] {
  const inLine = ({ limit, rank }: Pick<PlaceInLine, "limit" | "rank">) =>
    places.line(tenant, limit).doc(`${orderedId(rank + RANK_OFFSET)}-${documentId(executionId)}`);
  return [
    // Ours for sure: the record this commit is guarded by says so, and nobody else gives it back.
    ...give.map(
      ({ limit, number }): DocumentWrite => ({ kind: "delete", ref: places.permits(tenant, limit).doc(orderedId(number)), bytes: 0 }),
    ),
    ...(leave ? [{ kind: "delete", ref: inLine(leave), bytes: 0 } as const] : []),
    ...(join ? [{ kind: "set", ref: inLine(join), data: { executionId, rank: join.rank, until: join.until }, bytes: 0 } as const] : []),
  ];
}

/** LIMIT_EXCEEDED where a permit is another execution's: trying again would not change that. */
export async function refuseTaken(firestore: Firestore, writes: readonly DocumentWrite[], executionId: string): Promise<void> {
  if (writes.length === 0) return;
  const found: DocumentSnapshot[] = await firestore.getAll(...writes.map(({ ref }) => ref));
  const taken = found.find((snapshot) => snapshot.exists && snapshot.get("executionId") !== executionId);
  const limit = taken?.ref.parent.parent?.id;
  if (limit !== undefined) throw new SignalboxError("LIMIT_EXCEEDED", undefined, { details: { limit: decodeURIComponent(limit) } });
}
