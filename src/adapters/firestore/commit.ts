import { isDeepStrictEqual } from "node:util";
import type { DocumentReference, Firestore } from "@google-cloud/firestore";
import { toJson } from "../../definition/json.ts";
import { SignalboxError } from "../../errors.ts";
import type { ExecutionCommit, ExecutionHandle } from "../../ports/store.ts";
import type { Caller } from "./caller.ts";
import { commitCheckpoints } from "./commit-checkpoints.ts";
import type { BlobMemory } from "./checkpoint-memory.ts";
import { newDocuments } from "./create-execution.ts";
import { decisionDocument } from "./decisions.ts";
import { checkSize, commitOnce, SPLIT_BYTES, splitBySize, type DocumentWrite } from "./document-write.ts";
import { eventPages } from "./event-page.ts";
import { executionDocuments, readExecution, timeOf, tokenOf } from "./execution-document.ts";
import { documentId } from "./document-id.ts";
import { messageDocument } from "./inbox.ts";
import { memoryWrites } from "./memories.ts";
import type { MailWatch } from "./mail-watch.ts";
import { limitWrites, refuseTaken, takenPermits } from "./limits.ts";
import type { Places } from "./places.ts";
import { valueDocuments } from "./values.ts";
import { openWaitDocument, waitUpdates } from "./waits.ts";

interface CommitOptions {
  firestore: Firestore;
  caller: Caller;
  places: Places;
  memory: BlobMemory;
  mail: MailWatch;
}

/**
 * The one write of a running execution: a batch whose update of the record is guarded by the update time of the read it is based on.
 * Nothing of a stale holder's batch is applied. A batch and not a transaction: a killed holder blocked its document for 18-63 s.
 */
export function createCommit({ firestore, caller, places, memory, mail }: CommitOptions) {
  return async (commit: ExecutionCommit): Promise<ExecutionHandle> => {
    const { execution, guard } = commit;
    const { tenant, id } = execution;
    const ref = places.execution(tenant, id);
    // Begun together: each encodes what it is given before it waits for anything, so the caller may go on changing its objects.
    const [{ data, bytes }, checkpoints, once, values, pages] = await Promise.all([
      executionDocuments(ref, execution),
      commitCheckpoints(ref, id, commit, memory),
      createdOnce(places, commit, mail.sender),
      valueDocuments(places.values(tenant, id), commit.values),
      eventPages(places.events(tenant, id), commit.events),
    ]);
    const { limits } = commit;
    const permits = takenPermits(places, tenant, id, limits?.take ?? []);
    const immutable = [...checkpoints.blobs, ...values];
    const others: DocumentWrite[] = [
      ...pages,
      ...checkpoints.documents,
      ...commit.consumed.map(
        (message): DocumentWrite => ({ kind: "delete", ref: places.inbox(tenant, id).doc(documentId(message)), bytes: 0 }),
      ),
      ...permits,
      ...(limits ? limitWrites(places, tenant, id, limits) : []),
    ];
    let token = guard.token;
    let absent = once;
    const ahead = overflow([...others, ...once, ...immutable], bytes) ? immutable : [];

    async function attempt(): Promise<ExecutionHandle> {
      if (token === null) token = (await current(ref, guard)).token;
      // Named by their content, so nobody can tell whether they came before a commit that was refused.
      for (const some of splitBySize(ahead)) await commitOnce(firestore, some);
      const writes: DocumentWrite[] = [
        { kind: "update", ref, data, bytes, ifUpdatedAt: timeOf(token ?? "") },
        ...others,
        ...absent,
        ...(ahead.length > 0 ? [] : immutable),
        ...(await waitUpdates(firestore, places, tenant, commit)),
        ...(await memoryWrites(firestore, places, commit)),
      ];
      checkSize(writes);
      const [result] = await commitOnce(firestore, writes);
      return { execution, token: result ? tokenOf(result.writeTime) : null };
    }

    async function settle(): Promise<{ result: ExecutionHandle } | undefined> {
      const found = await readExecution(await ref.get(), caller.call);
      // A batch whose answer was lost, ours or of a call before this one that gave up: the record is the one we wrote.
      if (found && isDeepStrictEqual(found.execution, toJson(execution))) return { result: found };
      if (!found || !isGuarded(found, guard)) throw lost(id);
      await refuseTaken(firestore, permits, id);
      token = found.token;
      absent = await stillAbsent(firestore, once);
      return undefined;
    }

    async function current(document: DocumentReference, { epoch, lastSeq }: ExecutionCommit["guard"]): Promise<ExecutionHandle> {
      const found = await readExecution(await document.get(), caller.call);
      if (!found || !isGuarded(found, { epoch, lastSeq })) throw lost(id);
      return found;
    }

    const handle = await caller.settled({ attempt, settle });
    checkpoints.remember();
    for (const message of commit.sends) mail.tell(message);
    return handle;
  };
}

function isGuarded({ execution }: ExecutionHandle, guard: { epoch: number; lastSeq: number }): boolean {
  return execution.epoch === guard.epoch && execution.lastSeq === guard.lastSeq;
}

function lost(id: string): SignalboxError {
  return new SignalboxError("LEASE_LOST", `Execution "${id}" was written by another holder.`);
}

/** What stays as it is where it exists: `create` refuses the whole batch then, and the next try leaves it out. */
async function createdOnce(
  places: Places,
  { execution, decisions, openWaits, sends, starts }: ExecutionCommit,
  sender: string,
): Promise<DocumentWrite[]> {
  const started = Promise.all(starts.map((one) => newDocuments(places, one)));
  const others = await Promise.all([
    ...decisions.map((decision) => decisionDocument(places.decision(execution.tenant, decision.id), decision)),
    ...openWaits.map((wait) => openWaitDocument(places.wait(execution.tenant, wait.id), wait)),
    ...sends.map((message) => messageDocument(places, message, sender)),
  ]);
  return [...others, ...(await started).flat()];
}

async function stillAbsent(firestore: Firestore, writes: readonly DocumentWrite[]): Promise<DocumentWrite[]> {
  if (writes.length === 0) return [];
  const snapshots = await firestore.getAll(...writes.map((write) => write.ref));
  return writes.filter((_, n) => snapshots[n]?.exists !== true);
}

function overflow(writes: readonly DocumentWrite[], bytes: number): boolean {
  return writes.reduce((total, write) => total + write.bytes, bytes) > SPLIT_BYTES;
}
