import type { Firestore } from "@google-cloud/firestore";
import type { ExecutionHandle, ExecutionStore } from "../../ports/store.ts";
import type { Caller } from "./caller.ts";
import { checkSize, commitOnce, type DocumentWrite } from "./document-write.ts";
import { executionDocuments, readExecution, timeOf, tokenOf } from "./execution-document.ts";
import type { Places } from "./places.ts";

interface MarkOptions {
  firestore: Firestore;
  caller: Caller;
  places: Places;
}

/** One guarded update of the record by itself. Whoever changed the record meanwhile has the word: it is not tried again. */
export function createMarkRelayed({ firestore, caller, places }: MarkOptions): ExecutionStore["markRelayed"] {
  return async ({ execution: read, token }, place) => {
    if (read.owner !== null || token === null) return undefined;
    const execution = { ...read, ...place };
    const ref = places.execution(read.tenant, read.id);
    const { data, bytes } = await executionDocuments(ref, execution);

    function isOurs({ execution: found }: ExecutionHandle): boolean {
      return (["relayedSeq", "relayAt", "epoch", "lastSeq"] as const).every((field) => found[field] === execution[field]);
    }

    return await caller.settled<ExecutionHandle | undefined>({
      async attempt() {
        const write: DocumentWrite = { kind: "update", ref, data, bytes, ifUpdatedAt: timeOf(token) };
        checkSize([write]);
        const [result] = await commitOnce(firestore, [write]);
        return { execution, token: result ? tokenOf(result.writeTime) : null };
      },
      async settle() {
        const found = await readExecution(await ref.get(), caller.call);
        // Still the record that was read: the write did not get there.
        if (found?.token === token) return undefined;
        return { result: found && isOurs(found) ? found : undefined };
      },
    });
  };
}
