import type { DocumentReference, DocumentSnapshot } from "@google-cloud/firestore";
import type { Decision } from "../../definition/decision.ts";
import type { DecisionStore } from "../../ports/decision-store.ts";
import type { Call } from "./caller.ts";
import { inChunks } from "./chunk.ts";
import { packBody, readBody } from "./document-body.ts";
import { shardOf } from "./document-id.ts";
import type { DocumentWrite } from "./document-write.ts";
import { listPage } from "./list.ts";
import type { Places } from "./places.ts";
import { LARGEST_IN, LISTS, QUERIES, queryOf } from "./queries.ts";
import { readDocument } from "./read-document.ts";

export function createDecisions({ call, places }: { call: Call; places: Places }): DecisionStore {
  return {
    get: async (tenant, id) => await readDocument(call, places.decision(tenant, id), readDecision),

    list: async (tenant, { executionId, workflowId, stepId, pageSize, pageToken }) =>
      await listPage(call, {
        list: LISTS.decisions,
        collection: places.decisions(tenant),
        filters: { executionId, workflowId, stepId },
        pageSize,
        pageToken,
        read: readDecision,
        cursorOf: ({ at, id }) => ({ at, id }),
      }),

    async listOf(tenant, executionIds) {
      const decisions = await inChunks(executionIds, LARGEST_IN, async (some) => {
        const { docs } = await call(async () => await queryOf(QUERIES.decisionsOf, places.decisions(tenant), { values: [some] }).get());
        return await Promise.all(docs.map(readDecision));
      });
      const ordered = decisions.toSorted((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : a.id < b.id ? -1 : 1));
      return Map.groupBy(ordered, ({ executionId }) => executionId);
    },
  };
}

/** A record, refused where one with its id exists. */
export async function decisionDocument(ref: DocumentReference, decision: Decision): Promise<DocumentWrite> {
  const { id, executionId, workflowId, stepId, at } = decision;
  const { body, bytes } = await packBody(decision);
  return { kind: "create", ref, data: { shard: shardOf(id), executionId, workflowId, stepId, at, ...body }, bytes };
}

async function readDecision(snapshot: DocumentSnapshot): Promise<Decision> {
  return (await readBody(snapshot)) as Decision; // what `decisionDocument` packed
}
