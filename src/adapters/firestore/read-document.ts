import type { DocumentReference, DocumentSnapshot } from "@google-cloud/firestore";
import type { Call } from "./caller.ts";

/** What `read` makes of a document; undefined where there is none. */
export async function readDocument<T>(
  call: Call,
  ref: DocumentReference,
  read: (snapshot: DocumentSnapshot) => Promise<T | undefined>,
): Promise<T | undefined> {
  const snapshot = await call(async () => await ref.get());
  return snapshot.exists ? await read(snapshot) : undefined;
}
