import type { CollectionReference, DocumentSnapshot } from "@google-cloud/firestore";
import type { ExecutionEvent } from "../../definition/event.ts";
import { packBody, readBody } from "./document-body.ts";
import { orderedId } from "./document-id.ts";
import { MAX_DOCUMENT_BYTES, type DocumentWrite } from "./document-write.ts";

/**
 * The events of a commit as one page under the seq of its last event: "after seq n" is then a range of names and needs no index.
 * Only events too large for one document take several pages.
 */
export async function eventPages(events: CollectionReference, page: readonly ExecutionEvent[]): Promise<DocumentWrite[]> {
  const last = page.at(-1);
  if (!last) return [];
  const { body, bytes } = await packBody(page);
  if (bytes > MAX_DOCUMENT_BYTES && page.length > 1) {
    const half = Math.ceil(page.length / 2);
    return [...(await eventPages(events, page.slice(0, half))), ...(await eventPages(events, page.slice(half)))];
  }
  return [{ kind: "create", ref: events.doc(orderedId(last.seq)), data: { ...body }, bytes }];
}

export async function readEventPage(snapshot: DocumentSnapshot): Promise<ExecutionEvent[]> {
  return (await readBody(snapshot)) as ExecutionEvent[]; // what `eventPages` packed
}
