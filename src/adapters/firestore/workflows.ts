import { randomUUID } from "node:crypto";
import type { DocumentReference, DocumentSnapshot, Firestore } from "@google-cloud/firestore";
import type { Workflow, WorkflowDefinition } from "../../definition/workflow.ts";
import { notFound, SignalboxError } from "../../errors.ts";
import type { WorkflowStore } from "../../ports/store.ts";
import type { Caller } from "./caller.ts";
import { inChunks } from "./chunk.ts";
import { packBody, readBody } from "./document-body.ts";
import { orderedId, shardOf } from "./document-id.ts";
import { checkSize, commitOnce, type DocumentWrite } from "./document-write.ts";
import { listPage } from "./list.ts";
import type { Places } from "./places.ts";
import { LISTS } from "./queries.ts";
import { readDocument } from "./read-document.ts";

/** Heads at `workflows/{id}`, each version for ever at `workflows/{id}/versions/{n}`. */
export function createWorkflows({ firestore, caller, places }: { firestore: Firestore; caller: Caller; places: Places }): WorkflowStore {
  const { call, settled } = caller;
  return {
    async create(workflow) {
      const ref = places.workflow(workflow.tenant, workflow.id);
      const head = await headDocument(ref, workflow);
      const writes: DocumentWrite[] = [{ kind: "create", ...head }, await versionDocument(ref, workflow), stampOf(workflow)];
      checkSize(writes);
      await settled<void>({
        async attempt() {
          await commitOnce(firestore, writes);
        },
        async settle() {
          const found = await ref.get();
          if (!found.exists) return undefined;
          if (found.get("writeId") === head.data["writeId"]) return { result: undefined };
          throw new SignalboxError("CONFLICT", `The workflow id "${workflow.id}" is taken.`);
        },
      });
    },

    async update(workflow, basedOnRevision) {
      const ref = places.workflow(workflow.tenant, workflow.id);
      const head = await headDocument(ref, workflow);
      await settled<void>({
        async attempt() {
          const found = await ref.get();
          if (!found.exists || !found.updateTime) throw notFound("workflow", workflow.id);
          if (found.get("writeId") === head.data["writeId"]) return;
          const present = await readWorkflow(found);
          if (present.revision !== basedOnRevision) {
            throw new SignalboxError("VERSION_MISMATCH", `The workflow "${workflow.id}" is at revision ${present.revision}.`);
          }
          const writes: DocumentWrite[] = [{ kind: "update", ...head, ifUpdatedAt: found.updateTime }, stampOf(workflow)];
          if (workflow.version !== present.version) writes.push(await versionDocument(ref, workflow));
          checkSize(writes);
          await commitOnce(firestore, writes);
        },
        // The next attempt reads first and tells which it was.
        settle: async () => undefined,
      });
    },

    get: async (tenant, id) => await readDocument(call, places.workflow(tenant, id), readWorkflow),

    async getVersion(tenant, id, version) {
      const snapshot = await call(async () => await versionRef(places.workflow(tenant, id), version).get());
      return snapshot.exists ? ((await readBody(snapshot)) as WorkflowDefinition) : undefined; // what `versionDocument` packed
    },

    async getMany(tenant, ids) {
      return await inChunks(ids, 100, async (some) => {
        const snapshots = await call(async () => await firestore.getAll(...some.map((id) => places.workflow(tenant, id))));
        return await Promise.all(snapshots.filter((snapshot) => snapshot.exists).map(readWorkflow));
      });
    },

    list: async (tenant, { status, tags = [], pageSize, pageToken }) =>
      await listPage(call, {
        list: LISTS.workflows,
        collection: places.workflows(tenant),
        filters: { status },
        pageSize,
        pageToken,
        // Tags are looked at here: a query takes one `array-contains`, and a tenant has few workflows.
        async read(snapshot) {
          const workflow = await readWorkflow(snapshot);
          return tags.every((tag) => workflow.definition.tags.includes(tag)) ? workflow : undefined;
        },
        cursorOf: ({ createdAt, id }) => ({ at: createdAt, id }),
      }),

    async stamp(tenant) {
      const snapshot = await call(async () => await places.workflowStamp(tenant).get());
      return snapshot.exists ? String(snapshot.get("writeId")) : "";
    },
  };

  function stampOf({ tenant }: Workflow): DocumentWrite {
    return { kind: "set", ref: places.workflowStamp(tenant), data: { writeId: randomUUID() }, bytes: 0 };
  }
}

interface HeadDocument {
  ref: DocumentReference;
  data: Record<string, unknown>;
  bytes: number;
}

async function headDocument(ref: DocumentReference, workflow: Workflow): Promise<HeadDocument> {
  const { id, status, createdAt } = workflow;
  const { body, bytes } = await packBody(workflow);
  // `writeId` tells our own write from an equal one of somebody else's when the commit's answer was lost.
  return { ref, data: { shard: shardOf(id), status, createdAt, writeId: randomUUID(), ...body }, bytes };
}

async function versionDocument(ref: DocumentReference, { version, definition }: Workflow): Promise<DocumentWrite> {
  const { body, bytes } = await packBody(definition);
  return { kind: "create", ref: versionRef(ref, version), data: { ...body }, bytes };
}

function versionRef(ref: DocumentReference, version: number): DocumentReference {
  return ref.collection("versions").doc(orderedId(version));
}

async function readWorkflow(snapshot: DocumentSnapshot): Promise<Workflow> {
  return (await readBody(snapshot)) as Workflow; // what `headDocument` packed
}
