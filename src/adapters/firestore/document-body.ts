import type { DocumentSnapshot } from "@google-cloud/firestore";
import { SignalboxError } from "../../errors.ts";
import { pack, unpack } from "./bundle.ts";

/**
 * JSON as documents hold it: text in `d`, from 8 KiB a zstd frame. As text it takes what Firestore's own maps refuse, change or
 * drop: nested arrays, lone surrogates (JSON escapes them), keys like `__proto__` and `__x__`, 2^53 + 1.
 */
export interface Body {
  d: string | Uint8Array;
}

export async function packBody(value: unknown): Promise<{ body: Body; bytes: number }> {
  const text = JSON.stringify(value);
  const { z, d } = await pack(Buffer.from(text));
  return { body: { d: z ? d : text }, bytes: d.length };
}

/** What `packBody` packed; the caller knows its type, having written it. */
export async function readBody(snapshot: DocumentSnapshot, field = "d"): Promise<unknown> {
  const d: unknown = snapshot.get(field);
  if (typeof d === "string") return JSON.parse(d);
  if (d instanceof Uint8Array) return JSON.parse(Buffer.from(await unpack({ z: true, d })).toString("utf8"));
  throw new SignalboxError("INTERNAL", `${snapshot.ref.path} is not a document of ours.`);
}
