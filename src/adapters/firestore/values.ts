import type { CollectionReference, DocumentReference, Firestore } from "@google-cloud/firestore";
import type { Json } from "../../definition/json.ts";
import { SignalboxError } from "../../errors.ts";
import { pack, unpack } from "./bundle.ts";
import { inChunks } from "./chunk.ts";
import { documentId } from "./document-id.ts";
import type { DocumentWrite } from "./document-write.ts";

const CHUNK_BYTES = 900 * 1024;

/** Large outputs: the first piece under the reference's name tells how many follow as `{name}~1`, `{name}~2` … */
export async function valueDocuments(values: CollectionReference, puts: readonly { ref: string; value: Json }[]): Promise<DocumentWrite[]> {
  const documents: DocumentWrite[] = [];
  const encoded = puts.map(({ ref, value }) => ({ ref, bytes: Buffer.from(JSON.stringify(value)) }));
  for (const { ref, bytes } of encoded) {
    const { z, d } = await pack(bytes);
    const chunks = Math.max(1, Math.ceil(d.length / CHUNK_BYTES));
    for (let n = 0; n < chunks; n += 1) {
      const chunk = d.subarray(n * CHUNK_BYTES, (n + 1) * CHUNK_BYTES);
      documents.push({
        kind: "set",
        ref: pieceOf(values, ref, n),
        data: n === 0 ? { d: chunk, z, chunks } : { d: chunk },
        bytes: chunk.length,
      });
    }
  }
  return documents;
}

/** The values that are there, by reference. */
export async function readValues(firestore: Firestore, values: CollectionReference, refs: readonly string[]): Promise<Map<string, Json>> {
  const found = new Map<string, Json>();
  await inChunks([...new Set(refs)], 50, async (some) => {
    const heads = await firestore.getAll(...some.map((ref) => pieceOf(values, ref, 0)));
    for (const [n, head] of heads.entries()) {
      const ref = some[n];
      if (!head.exists || ref === undefined) continue;
      const more = Array.from({ length: Number(head.get("chunks")) - 1 }, (_, chunk) => pieceOf(values, ref, chunk + 1));
      const rest = more.length === 0 ? [] : await firestore.getAll(...more);
      const pieces = [head, ...rest].map((piece) => {
        const d: unknown = piece.get("d");
        if (!(d instanceof Uint8Array)) throw new SignalboxError("INTERNAL", `The stored value ${piece.ref.path} is missing.`);
        return d;
      });
      const bytes = await unpack({ z: head.get("z") === true, d: Buffer.concat(pieces) });
      found.set(ref, JSON.parse(Buffer.from(bytes).toString("utf8")) as Json); // `valueDocuments` wrote JSON
    }
    return [];
  });
  return found;
}

function pieceOf(values: CollectionReference, ref: string, n: number): DocumentReference {
  return values.doc(n === 0 ? documentId(ref) : `${documentId(ref)}~${n}`);
}
