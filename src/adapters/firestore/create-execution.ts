import { isDeepStrictEqual } from "node:util";
import type { Firestore, WriteResult } from "@google-cloud/firestore";
import type { ExecutionEvent } from "../../definition/event.ts";
import type { Execution, NewExecution } from "../../definition/execution.ts";
import { toJson } from "../../definition/json.ts";
import type { Clock } from "../../ports/clock.ts";
import type { ExecutionHandle } from "../../ports/store.ts";
import type { Caller } from "./caller.ts";
import { checkSize, commitOnce, type DocumentWrite } from "./document-write.ts";
import { eventPages } from "./event-page.ts";
import { executionDocuments, isExpired, readExecution, tokenOf } from "./execution-document.ts";
import { refuseTaken, takenPermits } from "./limits.ts";
import type { Places } from "./places.ts";

interface CreateOptions {
  firestore: Firestore;
  caller: Caller;
  places: Places;
  clock: Clock;
}

/** The documents of a new execution, but for the owner of its idempotency key; each is refused where it exists. */
export async function newDocuments(places: Places, { execution, events }: NewExecution): Promise<DocumentWrite[]> {
  const ref = places.execution(execution.tenant, execution.id);
  const [{ data, bytes, start }, pages] = await Promise.all([
    executionDocuments(ref, execution),
    eventPages(places.events(execution.tenant, execution.id), events),
  ]);
  return [{ kind: "create", ref, data, bytes }, ...pages, ...(start ? [start] : [])];
}

type Created = ExecutionHandle & { created: boolean };

/**
 * Creates record, first events and the owner of the idempotency key in one commit; each `create` refuses a second one. An error is
 * followed by a look at what is there: the client repeats a commit whose answer it lost, and is then refused by its own first try.
 */
export function createCreation({ firestore, caller, places, clock }: CreateOptions) {
  return async (execution: Execution, events: ExecutionEvent[]): Promise<Created> => {
    const { tenant, id, idempotencyKey } = execution;
    const documents = await newDocuments(places, { execution, events });
    const key = idempotencyKey === null ? undefined : places.key(tenant, idempotencyKey);
    const permits = takenPermits(places, tenant, id, execution.permits ?? []);
    // Set when the key belongs to an execution that retention has removed: it is taken over as it is.
    let orphanedKey: WriteResult["writeTime"] | undefined;

    async function attempt(): Promise<Created> {
      const owner = { executionId: id, expireAt: null };
      const writes: DocumentWrite[] = [...documents, ...permits];
      if (key && orphanedKey) writes.push({ kind: "update", ref: key, data: owner, bytes: 0, ifUpdatedAt: orphanedKey });
      else if (key) writes.push({ kind: "create", ref: key, data: owner, bytes: 0 });
      checkSize(writes);
      const [result] = await commitOnce(firestore, writes);
      return { execution, token: result ? tokenOf(result.writeTime) : null, created: true };
    }

    async function settle(): Promise<{ result: Created } | undefined> {
      const keyed = key && (await key.get());
      const ownerId: unknown = keyed?.get("executionId");
      for (const owner of new Set([typeof ownerId === "string" ? ownerId : id, id])) {
        const found = await readExecution(await places.execution(tenant, owner).get(), caller.call);
        if (!found || isExpired(found.execution, clock.now())) continue;
        return { result: { ...found, created: owner === id && isDeepStrictEqual(found.execution, toJson(execution)) } };
      }
      await refuseTaken(firestore, permits, id);
      orphanedKey = keyed?.exists ? keyed.updateTime : undefined;
      return undefined;
    }

    return await caller.settled({ attempt, settle });
  };
}
