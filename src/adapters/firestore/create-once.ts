import { randomUUID } from "node:crypto";
import type { Firestore } from "@google-cloud/firestore";
import type { Caller } from "./caller.ts";
import { checkSize, commitOnce, type DocumentWrite } from "./document-write.ts";

/**
 * Creates a document and tells whether this call did: false where it was there. A random text in it tells ours, written before its
 * answer was lost, from another's.
 */
export async function createOnce(
  { firestore, caller: { settled } }: { firestore: Firestore; caller: Caller },
  document: Extract<DocumentWrite, { kind: "create" | "set" }>,
): Promise<boolean> {
  const addId = randomUUID();
  const marked: DocumentWrite = { ...document, data: { ...document.data, addId } };
  checkSize([marked]);
  return await settled({
    async attempt() {
      await commitOnce(firestore, [marked]);
      return true;
    },
    async settle() {
      const found = await document.ref.get();
      return found.exists ? { result: found.get("addId") === addId } : undefined;
    },
  });
}
