import { createHash } from "node:crypto";
import { WRITES_IDX_MAP, type Checkpoint, type CheckpointPendingWrite } from "@langchain/langgraph-checkpoint";
import type { CheckpointPut, CheckpointWrites } from "../../ports/store.ts";
import { decode, encode } from "../codec.ts";
import {
  numberOf,
  type CheckpointRow,
  type CheckpointRows,
  type TaskWrite,
  type TaskWritesRow,
  type ThreadKey,
} from "./checkpoint-operations.ts";
import type { Connection } from "./connection.ts";
import type { Database } from "./database.ts";

/** From here on a value is stored once and shared by the checkpoints that have it, characters. */
const BLOB_FROM = 32 * 1024;
/** Checkpoints whose large values are remembered, so that an unchanged one is not written out again to find its digest. */
const REMEMBERED = 2_000;

/** What is to be stored of one thread. */
export interface ToPack {
  execution: { tenant: string; id: string };
  checkpoints: readonly CheckpointPut[];
  writes: readonly CheckpointWrites[];
}

export interface Packed {
  rows: CheckpointRows;
  /** To be called when the rows are durable. */
  stored(): void;
}

/** How checkpoints become rows, for LangGraph's own calls and for an execution's commits alike. */
export interface CheckpointFormat {
  /** Packs values as they are now: a graph goes on changing them. Null where there is nothing to store. */
  pack(parts: ToPack): Packed | null;
}

/** Channel and digest of the large values of a checkpoint. */
type Refs = ReadonlyMap<string, string>;

/** A channel in a checkpoint's document: its value, or the digest of its blob. */
type Place = [channel: string, value: unknown] | [channel: string, nothing: 0, ref: string];

const NO_REFS: Refs = new Map();

export function createCheckpointFormat({ readNow }: Connection): CheckpointFormat {
  const remembered = new Map<string, Refs>();

  function remember(key: string, refs: Refs): void {
    const [oldest] = remembered.size >= REMEMBERED ? remembered.keys() : [];
    if (oldest !== undefined) remembered.delete(oldest);
    remembered.set(key, refs);
  }

  /** Large values of the parent: known, or read. */
  function refsOf(key: ThreadKey, ns: string, id: string | null): Refs {
    if (id === null) return NO_REFS;
    const known = remembered.get(nameOf(key, ns, id));
    return known ?? readNow((database) => storedRefs(database, key, ns, id));
  }

  return {
    pack({ execution: { tenant, id: thread }, checkpoints, writes }) {
      if (checkpoints.length === 0 && writes.length === 0) return null;
      const key = { tenant, thread };
      const blobs = new Map<string, string>();
      const packed: CheckpointRow[] = [];
      const refs: [string, Refs][] = [];
      for (const put of checkpoints) {
        const { id } = put.checkpoint;
        // A parent in the same commit counts as stored: both are, or neither.
        const inCommit = refs.find(([name]) => name === nameOf(key, put.ns, put.parentId ?? ""))?.[1];
        const { row, refs: own } = checkpointRow(put, inCommit ?? refsOf(key, put.ns, put.parentId), blobs);
        packed.push(row);
        refs.push([nameOf(key, put.ns, id), own]);
      }
      const rows: CheckpointRows = {
        key,
        checkpoints: packed,
        writes: writes.map((write) => taskWritesRow(write, blobs)),
        blobs: [...blobs].map(([ref, value]) => ({ ref, value })),
      };
      return {
        rows,
        stored() {
          for (const [name, own] of refs) remember(name, own);
        },
      };
    },
  };
}

function nameOf({ tenant, thread }: ThreadKey, ns: string, id: string): string {
  return JSON.stringify([tenant, thread, ns, id]);
}

function storedRefs(database: Database, key: ThreadKey, ns: string, id: string): Refs {
  const thread = numberOf(database, key) ?? null;
  const row = database.get<{ doc: string }>("SELECT doc FROM checkpoints WHERE thread = ? AND ns = ? AND id = ?", [thread, ns, id]);
  if (!row) return NO_REFS;
  const [, places] = JSON.parse(row.doc) as [unknown, Place[]]; // written by `checkpointRow`
  return new Map(places.flatMap(([channel, , ref]) => (ref === undefined ? [] : [[channel, ref]])));
}

function checkpointRow(put: CheckpointPut, parentRefs: Refs, blobs: Map<string, string>): { row: CheckpointRow; refs: Refs } {
  const { channel_values: values, ...head } = put.checkpoint;
  const refs = new Map<string, string>();
  const places: string[] = [];
  for (const [channel, value] of Object.entries(values)) {
    const isNew = Object.hasOwn(put.newVersions, channel);
    // Without a parent, LangGraph's contract is to store only what has a new version.
    if (put.parentId === null && !isNew) continue;
    let ref = isNew ? undefined : parentRefs.get(channel);
    if (ref === undefined) {
      const text = encode(value);
      if (text.length < BLOB_FROM) {
        places.push(`[${JSON.stringify(channel)},${text}]`);
        continue;
      }
      ref = addBlob(blobs, text);
    }
    refs.set(channel, ref);
    places.push(`[${JSON.stringify(channel)},0,"${ref}"]`);
  }
  const doc = `[${encode(head)},[${places.join(",")}]]`;
  return { row: { ns: put.ns, id: put.checkpoint.id, parentId: put.parentId, doc, metadata: encode(put.metadata) }, refs };
}

function taskWritesRow({ ns, checkpointId, taskId, writes }: CheckpointWrites, blobs: Map<string, string>): TaskWritesRow {
  const written = writes.map(([channel, value], index) => {
    const text = encode(value);
    const place = `${WRITES_IDX_MAP[channel] ?? index},${JSON.stringify(channel)}`;
    return text.length < BLOB_FROM ? `[${place},${text}]` : `[${place},0,"${addBlob(blobs, text)}"]`;
  });
  return { ns, checkpointId, taskId, doc: `[${written.join(",")}]` };
}

/** Named by content: LangGraph's channel versions count along one line, so two forks give one version to different values. */
function addBlob(blobs: Map<string, string>, text: string): string {
  const ref = createHash("sha256").update(text).digest("base64url");
  blobs.set(ref, text);
  return ref;
}

/** The checkpoint of a row; `blob` gives the text of a large value. */
export function checkpointOf(doc: string, blob: (ref: string) => string): Checkpoint {
  const [head, places] = decode(doc) as [Omit<Checkpoint, "channel_values">, Place[]]; // written by `checkpointRow`
  const values = places.map(([channel, value, ref]) => [channel, ref === undefined ? value : decode(blob(ref))] as const);
  // fromEntries defines own properties, so a channel `__proto__` is one.
  return { ...head, channel_values: Object.fromEntries(values) };
}

/** The writes of a task's row, in order. */
export function taskWritesOf(taskId: string, doc: string, blob: (ref: string) => string): CheckpointPendingWrite[] {
  const writes = decode(doc) as TaskWrite[]; // written by `taskWritesRow`
  return writes.map(([, channel, value, ref]) => [taskId, channel, ref === undefined ? value : decode(blob(ref))]);
}
