import { randomUUID } from "node:crypto";
import type { DocumentReference, DocumentSnapshot, Firestore } from "@google-cloud/firestore";
import type { OpenWait, WaitAnswer } from "../../definition/wait.ts";
import type { ExecutionCommit, WaitStore } from "../../ports/store.ts";
import type { Caller } from "./caller.ts";
import { inChunks } from "./chunk.ts";
import { packBody, readBody } from "./document-body.ts";
import { documentId, shardOf } from "./document-id.ts";
import { commitOnce, type DocumentWrite } from "./document-write.ts";
import { messageDocument } from "./inbox.ts";
import { listPage } from "./list.ts";
import type { MailWatch } from "./mail-watch.ts";
import type { Places } from "./places.ts";
import { LARGEST_IN, LISTS, QUERIES, queryOf } from "./queries.ts";
import { readDocument } from "./read-document.ts";

interface WaitsOptions {
  firestore: Firestore;
  caller: Caller;
  places: Places;
  mail: MailWatch;
}

export function createWaits({ firestore, caller, places, mail }: WaitsOptions): WaitStore {
  const { call, settled } = caller;
  return {
    get: async (tenant, id) => await readDocument(call, places.wait(tenant, id), readWait),

    list: async (tenant, { kind, status, executionId, workflowId, pageSize, pageToken }) =>
      await listPage(call, {
        list: LISTS.waits,
        collection: places.waits(tenant),
        filters: { kind, status, executionId, workflowId },
        pageSize,
        pageToken,
        read: readWait,
        cursorOf: ({ createdAt, id }) => ({ at: createdAt, id }),
      }),

    async listOf(tenant, executionIds, kind) {
      const waits = await inChunks(executionIds, LARGEST_IN, async (some) => {
        const { docs } = await call(async () => await queryOf(QUERIES.waitsOf, places.waits(tenant), { values: [some] }).get());
        return await Promise.all(docs.filter((snapshot) => snapshot.get("kind") === kind).map(readWait));
      });
      const ordered = waits.toSorted((a, b) => (a.createdAt < b.createdAt ? -1 : a.createdAt > b.createdAt ? 1 : a.id < b.id ? -1 : 1));
      return Map.groupBy(ordered, ({ executionId }) => executionId);
    },

    async onTopic(tenant, topic, { afterId, limit }) {
      const after = afterId === undefined ? "!" : documentId(afterId);
      const query = queryOf(QUERIES.waitsOnTopic, places.waits(tenant), { values: [topic, "open", after], limit });
      const { docs } = await call(async () => await query.get());
      return await Promise.all(docs.map(readWait));
    },

    async answer(tenant, id, status, answer, message) {
      const ref = places.wait(tenant, id);
      // Tells our own answer from an equal one of somebody else's when the commit's answer was lost.
      const answerId = randomUUID();
      const { body } = await packBody(answer);
      const letter = message && (await messageDocument(places, message, mail.sender));
      let isSent = false;
      const result = await settled<Awaited<ReturnType<WaitStore["answer"]>>>({
        async attempt() {
          const snapshot = await ref.get();
          if (!snapshot.exists || !snapshot.updateTime) return undefined;
          const wait = await readWait(snapshot);
          if (wait.status !== "open") return { wait, accepted: snapshot.get("answerId") === answerId };
          const update: DocumentWrite = {
            kind: "update",
            ref,
            data: { status, answer: body.d, answerId },
            bytes: 0,
            ifUpdatedAt: snapshot.updateTime,
          };
          await commitOnce(firestore, letter && !isSent ? [update, letter] : [update]);
          return { wait: { ...wait, status, answer }, accepted: true };
        },
        // The next attempt reads the wait first; a message of that id that is there already is not sent again.
        async settle() {
          isSent = letter ? (await letter.ref.get()).exists : false;
          return undefined;
        },
      });
      if (message && result?.accepted) mail.tell(message);
      return result;
    },

    async vote(tenant, id, vote, after, decision) {
      const ref = places.wait(tenant, id);
      const answered = decision && (await packBody(decision.answer)).body.d;
      const letter = decision && (await messageDocument(places, decision.message, mail.sender));
      const result = await settled<Awaited<ReturnType<WaitStore["vote"]>>>({
        async attempt() {
          const snapshot = await ref.get();
          if (!snapshot.exists || !snapshot.updateTime) return undefined;
          const wait = await readWait(snapshot);
          const { votes = [] } = wait;
          // Found already: the answer of the commit before this attempt got lost, and its message went with it.
          if (votes.some((other) => other.id === vote.id)) return { wait, accepted: true };
          if (wait.status !== "open" || votes.length !== after) return { wait, accepted: false };
          const next: OpenWait = { ...wait, votes: [...votes, vote], ...(decision && { status: "answered", answer: decision.answer }) };
          const { body, bytes } = await packBody(next.votes);
          const update: DocumentWrite = {
            kind: "update",
            ref,
            data: { votes: body.d, status: next.status, ...(answered !== null && { answer: answered }) },
            bytes,
            ifUpdatedAt: snapshot.updateTime,
          };
          await commitOnce(firestore, letter ? [update, letter] : [update]);
          return { wait: next, accepted: true };
        },
        // The next attempt reads the wait first.
        settle: async () => undefined,
      });
      if (decision && result?.accepted) mail.tell(decision.message);
      return result;
    },

    async lease(tenant, id, lease, decision) {
      const ref = places.wait(tenant, id);
      const answered = decision && (await packBody(decision.answer)).body.d;
      const letter = decision && (await messageDocument(places, decision.message, mail.sender));
      const result = await settled<Awaited<ReturnType<WaitStore["lease"]>>>({
        async attempt() {
          const snapshot = await ref.get();
          if (!snapshot.exists || !snapshot.updateTime) return undefined;
          const wait = await readWait(snapshot);
          // The answer of the commit before this attempt got lost, and its message went with it.
          if (wait.lease?.change === lease.change) return { wait, accepted: true };
          if (wait.status !== "open" || (wait.lease?.revision ?? 0) !== lease.revision - 1) return { wait, accepted: false };
          const next: OpenWait = { ...wait, lease, ...(decision && { status: "answered", answer: decision.answer }) };
          const data = { lease: { ...lease }, status: next.status, ...(answered !== null && { answer: answered }) };
          const update: DocumentWrite = { kind: "update", ref, data, bytes: 0, ifUpdatedAt: snapshot.updateTime };
          await commitOnce(firestore, letter ? [update, letter] : [update]);
          return { wait: next, accepted: true };
        },
        // The next attempt reads the wait first.
        settle: async () => undefined,
      });
      if (decision && result?.accepted) mail.tell(decision.message);
      return result;
    },
  };
}

/** A wait, refused where one with its id exists. Its status and answer lie beside the packed rest, as they change alone. */
export async function openWaitDocument(ref: DocumentReference, wait: OpenWait): Promise<DocumentWrite> {
  const { status, answer, ...rest } = wait;
  const { id, executionId, workflowId, kind, createdAt, topic } = rest;
  const { body, bytes } = await packBody(rest);
  const answered = answer === null ? null : (await packBody(answer)).body.d;
  return {
    kind: "create",
    ref,
    data: {
      shard: shardOf(id),
      executionId,
      workflowId,
      kind,
      createdAt,
      status,
      answer: answered,
      ...(topic !== undefined && { topic }),
      ...body,
    },
    bytes,
  };
}

/** Withdrawals of those waits that are open now, and reminders; each refused where somebody answers or votes meanwhile. */
export async function waitUpdates(
  firestore: Firestore,
  places: Places,
  tenant: string,
  { closeWaits, remindedWaits }: Pick<ExecutionCommit, "closeWaits" | "remindedWaits">,
): Promise<DocumentWrite[]> {
  const status = new Map(closeWaits.map((closed) => [closed.id, closed.status]));
  const reminders = new Map(remindedWaits.map((reminded) => [reminded.id, reminded.reminders]));
  const ids = [...new Set([...status.keys(), ...reminders.keys()])];
  if (ids.length === 0) return [];
  const snapshots = await firestore.getAll(...ids.map((id) => places.wait(tenant, id)));
  return snapshots.flatMap((snapshot, n): DocumentWrite[] => {
    const id = ids[n] ?? "";
    const isClosed = status.has(id) && snapshot.get("status") === "open";
    const data = { ...(isClosed && { status: status.get(id) }), ...(reminders.has(id) && { reminders: reminders.get(id) }) };
    if (!snapshot.updateTime || Object.keys(data).length === 0) return [];
    return [{ kind: "update", ref: snapshot.ref, data, bytes: 0, ifUpdatedAt: snapshot.updateTime }];
  });
}

async function readWait(snapshot: DocumentSnapshot): Promise<OpenWait> {
  const rest = (await readBody(snapshot)) as Omit<OpenWait, "status" | "answer">; // what `openWaitDocument` packed
  const answer = snapshot.get("answer") === null ? null : ((await readBody(snapshot, "answer")) as WaitAnswer); // likewise
  const status = snapshot.get("status") as OpenWait["status"]; // written from that type only, as what follows
  const votes = snapshot.get("votes") === undefined ? undefined : ((await readBody(snapshot, "votes")) as OpenWait["votes"]);
  const reminders = snapshot.get("reminders") as OpenWait["reminders"];
  const lease = snapshot.get("lease") as OpenWait["lease"];
  return { ...rest, ...(votes && { votes }), ...(reminders && { reminders }), ...(lease && { lease }), status, answer };
}
